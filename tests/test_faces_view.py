"""Proves the screens of the live view: what stands where, at every size, and that a row always fits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, RUN, envelopes
from plexsuper.faces.blocks import bar, cut, paragraph, sides
from plexsuper.faces.picture import Picture
from plexsuper.faces.view import draw
from plexsuper.kinds import SectionType
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionRef, SectionReport, Stage

START = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)

SCANNING = """\
 plexsuper  local_delta                                       1 warning  0:00:37
────────────────────────────────────────────────────────────────────────────────
● storage healthy · 3 files of 2 sect…  ● Plex ready · 1.43.0.10492 · quiet
✔ - ✔ ✔ ✔ ✔ ✔ ✔ ▸ sections · · ·

Movies  1 of 2                                                           0:00:18
▸ ⌕ scan     0:00:18  ━━━━━━━━━━━━╸─────────  58 %  1,234 of 2,100  35/s  ≈ 20 s
· ≋ analysis
  Plex: Scanning Movies

· then Music
────────────────────────────────────────────────────────────────────────────────
[18:06:08]   Plex 1.43.0.10492 is ready after 7.1 s (claimed)
[18:06:08]   server done in 7.2 s
[18:06:08]   no token yet, try 1: Preferences.xml has no PlexOnlineToken yet
[18:06:18]   token found in Preferences.xml (Plex Pass)
[18:06:18]   token done in 10 s
[18:06:19]   Plex is quiet: 1 preference changed, stopped DeepMediaAnalysis
[18:06:19]   quiet done in 0.4 s
[18:06:20]   section Music created for /media/Music
[18:06:20]   2 sections to do: Movies, Music
[18:06:20]   catalogue done in 0.8 s
[18:06:20]   scan of Movies started
"""

LOST = """\
 plexsuper  local_delta     3 !  0:00:52
────────────────────────────────────────
✘ storage lost · no answer for 10 s
● Plex ready · 1.43.0.10492 · quiet
✔ - ✔ ✔ ✔ ✔ ✔ ✔ ▸ sections · · ·

Movies  1 of 2                   0:00:33
▸ ⌕ scan     0:00:33
    58 %  ≈ 20 s  35/s  1,234 of 2,100
· ≋ analysis
  Plex: Scanning Movies

· then Music
────────────────────────────────────────
[18:06:20]   2 sections to do: Movies,
             Music
[18:06:20]   catalogue done in 0.8 s
[18:06:20]   scan of Movies started
[18:06:41] ! storage /media is
             suspected: it hangs (no
             answer for 5 s)
[18:06:46] ✘ storage /media is lost: it
             hangs (no answer for 10 s)
"""

WAITING = """\
 plexsuper  local_delta                                       1 warning  0:00:08
────────────────────────────────────────────────────────────────────────────────
● storage healthy · 3 files of 2 sect…  ◐ Plex not listening yet · connection r…
✔ - ✔ ✔ ▸ server · · · · · · ·

▸ waiting for Plex  0:00:08
────────────────────────────────────────────────────────────────────────────────
[18:06:01]   run started with profile local_delta; 10 min without progress coun…
[18:06:01] ! disk: 4.1 GB are free where the database is; a snapshot needs 6.0
             GB → free 2 GB below /config
[18:06:01]   preflight done in 0.2 s
[18:06:01]   library database is readable, 2 sections
[18:06:01]   library before the run: 40 artists, 112 albums, 1,305 tracks, 800 …
[18:06:01]   database done in 0.2 s
[18:06:01]   storage /media is proved: 3 files of 2 sections read (12 ms)
[18:06:01]   storage done in 0.1 s
[18:06:01]   Plex started as process 4711
[18:06:02]   Plex is not listening yet, try 1: no answer: connection refused
"""

OVERDUE = """\
 plexsuper  local_delta                                                                              6 warnings  1:08:31
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
● storage healthy                                           ● Plex ready · 1.43.0.10492 · quiet
✔ preflight - inputs ✔ database ✔ storage ✔ server ✔ token ✔ quiet ✔ catalogue ▸ sections · statistics · restore · stop
Music  2 of 2                                                                                                    1:00:07
▸ ♪ sonic    1:00:07
  Plex: Scanning Movies
✔ Movies  8 min 05 s  ⌕ scan 1 min 03 s  ≋ analysis 7 min 02 s
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
[18:07:23]   analysis of Movies started
[18:14:24]   analysis of Movies done after 7 min 02 s
[18:14:25]   Movies done after 8 min 05 s
[18:14:25]   sonic analysis of Music started (try 2)
[18:16:01] ✘ monitor progress crashed (database is locked); again in 2 s
[19:14:25] ! sonic analysis of Music is past its budget of 1 h, but progresses: it goes on
"""


def picture_of(*events: e.Event) -> Picture:
    """Return the picture after *events*, one second apart."""
    clock = START
    recorder, picture = Recorder(run="r", clock=lambda: clock), Picture(zone=UTC)
    with recorder.envelopes.subscribe(Envelope) as taken:
        for event in events:
            recorder.record(event)
            clock += timedelta(seconds=1)
        for envelope in taken.take():
            picture.see(envelope)
    return picture


def screen(picture: Picture, *, width: int = 80, height: int = 23, later: float = 0) -> str:
    assert picture.at is not None
    rows = draw(picture, picture.at + timedelta(seconds=later), width=width, height=height)
    return "".join(f"{row.plain.rstrip()}\n" for row in rows)


@pytest.mark.lesson("L02", "L03")
@pytest.mark.parametrize(
    ("last", "width", "height", "expected"),
    [
        pytest.param(e.SectionPhaseProgressed, 80, 23, SCANNING, id="a scan with its progress"),
        pytest.param(e.MountLost, 40, 23, LOST, id="lost storage on a narrow terminal"),
        pytest.param(e.PlexWaiting, 80, 23, WAITING, id="waiting for the server"),
        pytest.param(e.SectionPhaseOverdue, 120, 15, OVERDUE, id="a long sonic analysis on a wide terminal"),
    ],
)
def test_a_screen(last, width, height, expected):
    picture = Picture(zone=UTC)
    for envelope in envelopes():
        picture.see(envelope)
        if isinstance(envelope.event, last):
            break
    assert screen(picture, width=width, height=height, later=7) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 130), st.integers(0, 45), st.integers(1, len(RUN + MISHAPS)))
def test_no_screen_is_wider_or_higher_than_the_terminal(width, height, length):
    picture = picture_of(*(event for _, event in (*RUN, *MISHAPS)[:length]))
    rows = draw(picture, START + timedelta(hours=3), width=width, height=height)
    assert len(rows) <= height
    assert all(row.cell_len <= width and "\n" not in row.plain for row in rows)


def test_a_stage_that_was_passed_over_and_one_that_failed_are_seen_in_the_ladder():
    picture = picture_of(
        e.StageFinished(stage=Stage.PREFLIGHT, outcome=Outcome.DONE, seconds=1),
        e.StageFinished(stage=Stage.STORAGE, outcome=Outcome.FAILED, seconds=1, exit_code=4),
        e.StageStarted(stage=Stage.RESTORE),
    )
    assert screen(picture).splitlines()[3] == "✔ - - ✘ storage - - - - - - ▸ restore ·"


def test_a_stage_that_was_left_without_a_word_was_done():
    picture = picture_of(
        e.StageStarted(stage=Stage.CATALOGUE),
        e.SectionStarted(section=MOVIES, phases=()),
        e.StageFinished(stage=Stage.INPUTS, outcome=Outcome.SKIPPED, seconds=0),
        e.StageStarted(stage=Stage.STATISTICS),
    )
    assert screen(picture).splitlines()[3] == "- - - - - - - ✔ ✔ ▸ statistics · ·"


def many(done: int, total: int) -> Picture:
    sections = tuple(Section(id=n, title=f"Section {n}", type=SectionType.MOVIE) for n in range(1, total + 1))
    reports = [
        SectionReport(
            section=SectionRef(id=n, title=f"Section {n}"),
            outcome=Outcome.DONE,
            phases=(PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=n),),
        )
        for n in range(1, done + 1)
    ]
    return picture_of(
        e.SectionsChosen(sections=sections),
        *(e.SectionFinished(section=report.section, report=report) for report in reports),
        e.SectionStarted(section=SectionRef(id=done + 1, title=f"Section {done + 1}"), phases=(Phase.SCAN,)),
    )


def test_where_there_are_more_sections_than_rows_the_oldest_are_summed_up():
    rows = screen(many(12, 15)).splitlines()
    assert "Section 13  13 of 15" in rows[5]
    assert rows[8:17] == [
        "  6 more before",
        "✔ Section 7  7 s  ⌕ scan 7 s",
        "✔ Section 8  8 s  ⌕ scan 8 s",
        "✔ Section 9  9 s  ⌕ scan 9 s",
        "✔ Section 10  10 s  ⌕ scan 10 s",
        "✔ Section 11  11 s  ⌕ scan 11 s",
        "✔ Section 12  12 s  ⌕ scan 12 s",
        "· then Section 14, Section 15",
        "─" * 80,
    ]


def phase(*progress: e.Event) -> str:
    started = e.SectionPhaseStarted(section=MOVIES, phase=Phase.ANALYZE, attempt=1, budget=1, cap=2)
    begun = e.SectionStarted(section=MOVIES, phases=(Phase.SCAN, Phase.ANALYZE))
    scanned = PhaseReport(phase=Phase.SCAN, outcome=Outcome.UNSEEN, seconds=90)
    ended = e.SectionPhaseFinished(section=MOVIES, report=scanned)
    rows = screen(picture_of(begun, ended, started, *progress)).splitlines()
    assert rows[6] == "? ⌕ scan     never seen to run after 1 min 30 s"
    return rows[7]


def progressed(
    done: int, total: int | None, percent: float | None, rate: float, eta: float | None
) -> e.Event:
    return e.SectionPhaseProgressed(
        section=MOVIES, phase=Phase.ANALYZE, done=done, total=total, percent=percent, rate=rate, eta=eta
    )


def test_a_phase_shows_only_what_is_known_of_its_progress():
    assert phase() == "▸ ≋ analysis 0:00:00"
    assert phase(progressed(260, None, None, 0.5, None)) == "▸ ≋ analysis 0:00:01  260 so far  30/min"
    big = progressed(123_456, 1_234_567, 10, 2100, 840)
    assert phase(big) == "▸ ≋ analysis 0:00:01  ━──────────  10 %  123,456 of 1,234,567  2,100/s  ≈ 14 min"


def test_one_row_tells_how_far_the_warming_of_files_is():
    warm = [
        e.WarmProgressed(section=MOVIES, done=n, total=9, failed=0, bytes_read=0, rate=None, eta=None)
        for n in range(3)
    ]
    rows = screen(picture_of(*warm)).splitlines()
    assert [row for row in rows if "warm" in row] == ["[18:00:02]   Movies: 2 of 9 files warm"]


def test_a_bar_is_full_only_when_all_is_done():
    assert bar(0, 4, "").plain == "────"
    assert bar(50, 4, "").plain == "━━──"
    assert bar(99.9, 4, "").plain == "━━━╸"
    assert bar(100, 4, "").plain == "━━━━"
    assert bar(250, 4, "").plain == "━━━━"


def test_rows_count_the_columns_of_wide_letters():
    assert cut(Text("音楽 Music"), 6).plain == "音楽 …"
    assert sides(Text("音楽"), Text("1 s"), 12).plain == "音楽     1 s"
    assert sides(Text("a long title"), Text("0:00:01"), 14).plain == "a lo…  0:00:01"
    rows = paragraph(Text("> "), Text("one two three four five six"), 11, 2)
    assert [row.plain for row in rows] == ["> one two", "  three fo…"]


def test_a_frozen_server_is_not_shown_as_if_it_worked():
    ready = e.PlexReady(version="1.43", machine="m", claimed=True, after=1.0)
    frozen = e.PlexFrozen(processes=6, seconds=0.002, reason="the mount died")
    thawed = e.PlexThawed(processes=6, after=0.6)
    assert screen(picture_of(ready, frozen)).splitlines()[2].endswith("◐ Plex frozen · the mount died")
    assert screen(picture_of(ready, frozen, thawed)).splitlines()[2].endswith("● Plex ready")
