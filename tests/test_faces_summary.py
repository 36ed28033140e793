"""Proves the last words of a run: the verdict, the table of sections, and numbers of exactly what was processed."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, RUN, envelopes
from plexsuper.faces.face import left_by_a_run
from plexsuper.faces.picture import Picture
from plexsuper.faces.summary import as_text, summary
from plexsuper.kinds import SectionType
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import (
    Counts,
    Outcome,
    Phase,
    PhaseReport,
    RemovalCounts,
    Section,
    SectionRef,
    SectionReport,
    Stage,
    Statistics,
    Verdict,
)

START = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)
PLACES = {"events": "/run/events.jsonl", "data": "/config"}

WHOLE = """\

 ! finished, but sections were set aside after 1 h 13 m · exit code 7 · 9
 warnings and errors
 1 of 2 sections was set aside

 section       ⌕ scan  ≋ analysis    ♪ sonic  waited       total
 ✔ Movies  1 min 03 s  7 min 02 s          ·   4.5 s  8 min 05 s
 ✘ Music            ·           ·  ! stalled     0 s    1 h 05 m
 ✘ Music: sonic analysis stalled twice

 warnings
 [18:06:01] ! disk: 4.1 GB are free where the database is; a snapshot needs 6.0
              GB → free 2 GB below /config
 [18:06:41] ! storage /media is suspected: it hangs (no answer for 5 s)
 [18:06:46] ✘ storage /media is lost: it hangs (no answer for 10 s)
 [18:07:03] ! Plex's notifications are lost (connection reset by peer); polling
              goes on
 [18:16:01] ✘ monitor progress crashed (database is locked); again in 2 s
 [19:14:25] ! sonic analysis of Music is past its budget of 1 h, but
              progresses: it goes on
 [19:19:37] ! sonic analysis of Music stalled: no sign of progress for 10 min;
              open in Plex: Sonic analysis

 library  before  after  change  trash
 artists      40     40       ·      ·
 albums      112    112       ·      ·
 tracks    1,305  1,305       ·      ·
 sonic       800    800       ·      ·
 movies    2,100  2,106      +6      3

 events  /run/events.jsonl
 data    /config

"""


def picture_of(*events: e.Event) -> Picture:
    recorder, picture = Recorder(run="r", clock=lambda: START), Picture(zone=UTC)
    with recorder.envelopes.subscribe(Envelope) as taken:
        for event in events:
            recorder.record(event)
        for envelope in taken.take():
            picture.see(envelope)
    return picture


def chosen(*types: SectionType) -> e.SectionsChosen:
    return e.SectionsChosen(sections=tuple(Section(id=n, title=t, type=t) for n, t in enumerate(types)))


def stats(
    when: str, *, reliable: bool = True, trashed: Counts | None = None, **live: int
) -> e.StatsCollected:
    both = Statistics(live=Counts(**live), trashed=trashed or Counts(), sections=())
    return e.StatsCollected(when="after" if when == "after" else "before", reliable=reliable, statistics=both)


def library(*events: e.Event) -> list[str]:
    """Return the rows of the table of the library, spaces squeezed."""
    lines = as_text(picture_of(*events)).splitlines()
    heads = [number for number, line in enumerate(lines) if line.split()[:1] == ["library"]]
    return [" ".join(line.split()) for line in lines[heads[0] + 1 :] if line] if heads else []


def test_the_summary_of_a_whole_run():
    picture = Picture(zone=UTC)
    for envelope in envelopes():
        picture.see(envelope)
    assert as_text(picture, PLACES) == WHOLE


@pytest.mark.lesson("L37")
def test_the_numbers_are_of_the_kinds_that_were_processed():
    before = stats("before", movies=5, shows=2, seasons=3, episodes=9, tracks=7, sonic=7)
    after = stats("after", movies=8, shows=2, seasons=3, episodes=9, tracks=7, sonic=7)
    assert library(chosen(SectionType.MOVIE), before, after) == ["movies 5 8 +3 ·"]
    assert library(chosen(SectionType.SHOW), before, after) == [
        "movies 5 8 +3 ·",  # not ours, but it changed: that must never be hidden
        "shows 2 2 · ·",
        "seasons 3 3 · ·",
        "episodes 9 9 · ·",
    ]


@pytest.mark.lesson("L37")
def test_sonic_analysis_is_a_number_only_where_it_was_tried():
    both = (chosen(SectionType.ARTIST), stats("before", tracks=7, sonic=3), stats("after", tracks=7, sonic=3))
    music = SectionRef(id=0, title="artist")
    sonic = PhaseReport(phase=Phase.SONIC, outcome=Outcome.SKIPPED, seconds=0)
    finished = e.SectionFinished(
        section=music, report=SectionReport(section=music, outcome=Outcome.DONE, phases=(sonic,))
    )
    assert library(*both) == ["tracks 7 7 · ·"]
    assert library(*both, finished) == ["tracks 7 7 · ·", "sonic 3 3 · ·"]


def test_what_is_gone_and_what_is_in_the_trash_is_shown():
    gone = stats("after", movies=1000, trashed=Counts(movies=224))
    assert library(chosen(SectionType.MOVIE), stats("before", movies=1224), gone) == [
        "movies 1,224 1,000 -224 224"
    ]


def test_a_run_from_scratch_has_no_before():
    assert library(chosen(SectionType.PHOTO), stats("after", photos=3, photo_albums=1)) == [
        "photos · 3 +3 ·",
        "photo albums · 1 +1 ·",
    ]


@pytest.mark.lesson("L36")
def test_numbers_that_are_not_reliable_say_so():
    rows = library(
        chosen(SectionType.MOVIE), stats("before", movies=5), stats("after", reliable=False, movies=5)
    )
    assert rows[-1] == "The numbers after the run are not reliable: storage was unstable."


def test_a_run_that_ended_before_its_sections_says_why_and_shows_no_empty_table():
    end = e.RunFinished(
        verdict=Verdict.STORAGE,
        exit_code=4,
        duration=61,
        sections=(),
        detail="/media is empty: is it mounted?",
    )
    assert as_text(picture_of(end), {"events": "/e"}) == (
        "\n ✘ storage failed after 1 min 01 s · exit code 4\n /media is empty: is it mounted?\n\n events  /e\n\n"
    )


def test_a_plan_is_shown_step_by_step():
    end = e.RunFinished(verdict=Verdict.PLANNED, exit_code=0, duration=2, sections=())
    long = "take Movies through: deep scan, analysis, metadata refresh, sonic analysis (if the server has Plex Pass)"
    plan = e.RunPlanned(steps=("prove by content that the media storage /media is there", long))
    assert as_text(picture_of(plan, end)) == (
        "\n ✔ planned, nothing was changed after 2 s · exit code 0\n\n A run would\n"
        "   1. prove by content that the media storage /media is there\n"
        "   2. take Movies through: deep scan, analysis, metadata refresh, sonic\n"
        "      analysis (if the server has Plex Pass)\n"
        " Next: the same command without --dry-run.\n\n"
    )


def test_a_phase_that_was_tried_twice_counts_with_both_times_and_its_last_outcome():
    movies = SectionRef(id=1, title="Movies")
    tries = (
        PhaseReport(phase=Phase.SCAN, outcome=Outcome.STALLED, seconds=60, waited=1),
        PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=30, waited=2),
    )
    report = SectionReport(section=movies, outcome=Outcome.DONE, phases=tries)
    end = e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=95, sections=(report,))
    rows = [" ".join(line.split()) for line in as_text(picture_of(end)).splitlines()]
    assert "section ⌕ scan waited total" in rows
    assert "✔ Movies 1 min 30 s 3 s 1 min 30 s" in rows


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 200])
def test_no_row_is_wider_than_the_terminal(width):
    picture = picture_of(*(event for _, event in (*RUN, *MISHAPS)))
    rows = as_text(picture, PLACES, width=width).splitlines()
    assert max(len(row) for row in rows) <= width


def test_only_the_last_warnings_are_repeated():
    lost = [e.MountLost(path=f"/m{n}", reason="empty", detail="x") for n in range(60)]
    rows = as_text(picture_of(*lost)).splitlines()
    assert " last warnings (52 more before)" in rows
    assert [row.split()[3] for row in rows if "is lost" in row] == [f"/m{n}" for n in range(52, 60)]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((e.LibraryVerified(section=MOVIES, counts=RemovalCounts()),), None),
        (
            (
                e.PlexFrozen(processes=3, seconds=0.001, reason="the mount died"),
                e.PlexThawed(processes=3, after=0.3),
                e.LibraryVerified(section=MOVIES, counts=RemovalCounts(healed=22, confirmed=1)),
            ),
            "✔ 1 really deleted, 22 healed by a scan; nothing is lost; Plex was frozen once, for 0.3 s in all",
        ),
        (
            (e.LibraryVerified(section=MOVIES, counts=RemovalCounts(lost=2, unknown=1)),),
            "✘ 1 in doubt, 2 missing although their files are in storage; NOT everything is safe",
        ),
    ],
)
def test_the_summary_says_what_became_of_every_entry_that_vanished(facts, said):
    shown = as_text(picture_of(*facts), width=100)
    found = [
        line.strip()
        for line in shown.splitlines()
        if "lost;" in line or "is lost" in line or "NOT everything" in line
    ]
    assert found == ([] if said is None else [said])


FINDING = e.PreflightFinding(
    severity="error",
    subject="sections",
    message="there is no section 'Moovies'",
    remedy="did you mean 'Movies'?",
)
IN_THE_WAY = "One thing is in the way of a run; nothing was started: sections: there is no section 'Moovies'"
REFUSED = (
    FINDING,
    e.StageFinished(
        stage=Stage.PREFLIGHT, outcome=Outcome.FAILED, seconds=0.1, exit_code=2, detail=IN_THE_WAY
    ),
    e.RunFinished(verdict=Verdict.SETTINGS, exit_code=2, duration=0.1, sections=(), detail=IN_THE_WAY),
)


def test_what_is_in_the_way_of_a_run_is_said_once():
    picture = picture_of(*REFUSED)
    assert as_text(picture) == (
        "\n ✘ the settings are wrong after 0.1 s · exit code 2\n"
        " Nothing was started. What is in the way is told above.\n\n"
    )
    console = Console(file=io.StringIO(), width=80, color_system=None)
    with console.capture() as capture:
        console.print(summary(picture))
    assert capture.get().count("Moovies") == 1  # a live view is gone, and all that it told with it


def test_why_a_stage_failed_is_said_once():
    detail = "the engine does not answer: start it"
    said = as_text(
        picture_of(
            e.StageFinished(
                stage=Stage.SERVER, outcome=Outcome.FAILED, seconds=3, exit_code=6, detail=detail
            ),
            e.RunFinished(verdict=Verdict.SERVER, exit_code=6, duration=3, sections=(), detail=detail),
        )
    )
    assert said.count(detail) == 1


def test_the_places_of_a_run_are_its_own(tmp_path):
    said = as_text(picture_of(*REFUSED), left_by_a_run(tmp_path), width=300).splitlines()
    assert f" report  {tmp_path}/runs/r/report.html" in said
    assert f" kept    {tmp_path}/runs/r (plexsuper runs show)" in said


def test_a_warning_that_came_twice_is_repeated_once_at_its_last_time():
    lost = e.PlexLost(detail="refused")
    other = e.NotificationsLost(detail="reset")
    end = e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=1.0, sections=())
    said = as_text(picture_of(lost, other, lost, end))
    assert [line.rpartition("] ")[2] for line in said.splitlines() if "[18:" in line] == [
        "! Plex's notifications are lost (reset); polling goes on",
        "✘ Plex is lost: refused",
    ]
