"""Proves that page, metrics, report and summary say the same of runs in which something was done twice, or between phases."""

import re
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.examples import MOVIES, envelopes
from plexsuper.faces.attention import Attention
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.metrics import Metrics
from plexsuper.faces.picture import Picture
from plexsuper.faces.report.facts import as_json
from plexsuper.faces.report.markdown import markdown
from plexsuper.faces.report.page import html
from plexsuper.faces.summary import as_text
from plexsuper.terms import Outcome, Phase, PhaseReport, RemovalCounts, SectionReport, Stage, Verdict

STARTED = e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=1, cap=2)
ENDED = e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=60.0, sections=())


def finished(outcome: Outcome, seconds: float, waited: float = 0.0) -> e.SectionPhaseFinished:
    report = PhaseReport(phase=Phase.SCAN, outcome=outcome, seconds=seconds, waited=waited)
    return e.SectionPhaseFinished(section=MOVIES, report=report)


def verified(**counts: int) -> e.LibraryVerified:
    return e.LibraryVerified(section=None, counts=RemovalCounts(**counts))


HEALED = (
    (0, STARTED),
    (4, e.PlexFrozen(processes=2, seconds=0.02, reason="storage was lost")),
    (4, finished(Outcome.CANCELLED, 4.0)),
    (12, e.PlexThawed(processes=2, after=8.0)),
    (15, STARTED),
    (23, STARTED),  # a healing scan, of which no end of the first one tells
    (31, finished(Outcome.DONE, 16.0, 1.0)),
    (60, ENDED),
)


def story_of(*told: tuple[float, e.Event]) -> dict[str, Any]:
    chronicle = Chronicle()
    for envelope in envelopes(told):
        chronicle.see(envelope)
    return chronicle.since()


def numbers_of(*told: tuple[float, e.Event]) -> Metrics:
    metrics = Metrics()
    for envelope in envelopes(told):
        metrics.see(envelope)
    return metrics


def test_a_scan_that_is_followed_by_a_healing_one_is_one_phase_until_both_are_over():
    [section] = story_of(*HEALED)["sections"]
    assert [(phase["start"], phase["end"], phase["outcome"]) for phase in section["phases"]] == [
        (0, 4, "cancelled"),
        (15, 31, "done"),
    ]
    numbers = numbers_of(*HEALED)
    assert numbers.under_way() == {}
    assert numbers.phases()[1, "scan", "busy"] == 4.0 + 15.0
    [row] = as_json(story_of(*HEALED))["time"]
    assert (row["tries"], row["busy"], row["waiting"], row["total"]) == (2, 19.0, 1.0, 20.0)


@pytest.mark.parametrize("width", [80, 60])
def test_the_summary_counts_a_try_that_was_cancelled_for_storage_as_the_report_does(width):
    analyzed = PhaseReport(phase=Phase.ANALYZE, outcome=Outcome.DONE, seconds=2.0)
    scanned = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=16.0, waited=1.0)
    section = SectionReport(section=MOVIES, outcome=Outcome.DONE, phases=(scanned, analyzed))
    told = (
        *HEALED[:-1],
        (31, e.SectionPhaseStarted(section=MOVIES, phase=Phase.ANALYZE, attempt=1, budget=1, cap=2)),
        (33, e.SectionPhaseFinished(section=MOVIES, report=analyzed)),
        (33, e.SectionFinished(section=MOVIES, report=section)),
    )
    end = e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=60.0, sections=(section,))
    for events in (told, (*told, (60, end))):
        picture = Picture()
        for envelope in envelopes(events):
            picture.see(envelope)
        shown = " ".join(as_text(picture, width=width).split())
        assert (
            "Movies 20 s 2 s 1 s 22 s" if width == 80 else "Movies 22 s ⌕ scan 20 s ≋ analysis 2 s"
        ) in shown
        rows = as_json(story_of(*events))["time"]
        assert [(row["phase"], row["total"]) for row in rows] == [("scan", 20.0), ("analyze", 2.0)]


def test_a_phase_whose_end_was_never_told_ends_with_the_next_one():
    told = story_of(
        (0, STARTED),
        (7, e.SectionPhaseStarted(section=MOVIES, phase=Phase.ANALYZE, attempt=1, budget=1, cap=2)),
    )
    scan, analysis = told["sections"][0]["phases"]
    assert (scan["end"], scan["words"], analysis["end"]) == (7, "cut off", None)


def test_the_report_tells_all_of_the_time_in_which_plex_stood_still():
    story = story_of(*HEALED)
    page = html(story)
    assert "<dt>Plex frozen for</dt><dd>8 s</dd>" in page
    _, _, outside = page.partition("outside of phases")
    assert re.sub("<[^>]*>", " ", outside.partition("</tr>")[0]).split() == ["8", "s", "40", "s"]
    assert "Plex was frozen for 8 s." in markdown(story)
    assert "Plex was frozen" not in markdown(story_of((0, STARTED), (60, ENDED)))


def test_removals_in_doubt_are_over_when_the_snapshot_has_brought_everything_back():
    tripped = e.GuardTripped(section=MOVIES, reason="removals", count=22, budget=20, names=("/m/a.mkv",))
    revived = e.LibraryRevived(wanted=22, untrashed=22, reinserted=0, already=0, lost=0)
    told = ((0, tripped), (30, verified(lost=22)), (33, revived), (34, verified(restored=22)))
    [incident] = story_of(*told)["incidents"]["list"]
    assert incident["end"] == 34
    assert [text for _, text in incident["deeds"]] == [
        "removals of the run: 22 missing although their files are in storage",
        "22 of 22 entries brought back from the snapshot, 0 lost",
        "removals of the run: 22 restored from the snapshot",
    ]
    [incident] = story_of(*told[:2])["incidents"]["list"]
    assert incident["end"] is None


def test_storage_that_is_given_up_is_not_over():
    lost = e.MountLost(path="/m", reason="dead", detail="x")
    told = ((0, lost), (900, e.MountAbandoned(path="/m", detail="lost for 15 min")), (901, ENDED))
    [incident] = story_of(*told)["incidents"]["list"]
    assert (incident["end"], [text for _, text in incident["deeds"]]) == (
        None,
        ["storage /m is given up: lost for 15 min"],
    )
    assert "lost: its file system is dead (x) (not over)" in markdown(story_of(*told)).replace("\\", "")


def test_a_sum_of_seconds_is_told_no_more_exactly_than_the_events_are():
    times = (0.031, 0.062, 0.1, 0.3, 0.7, 1.1)
    told = [
        (at, e.StageStarted(stage=Stage.SERVER if place % 2 else Stage.SECTIONS))
        for place, at in enumerate(times)
    ]
    for number in range(1, len(told) + 1):
        assert all(seconds == round(seconds, 3) for seconds in numbers_of(*told[:number]).stages().values())


@pytest.mark.parametrize(("warnings", "said"), [(1, "1 warning or error"), (2, "2 warnings and errors")])
def test_one_warning_is_not_told_as_several(warnings, said):
    told: tuple[tuple[float, e.Event], ...] = (
        *((at, e.PlexLost(detail=f"connection refused {at}")) for at in range(warnings)),
        (60, ENDED),
    )
    picture, attention, messages = Picture(), Attention(("finished",), storage_after=600.0), []
    for envelope in envelopes(told):
        picture.see(envelope)
        messages += attention.see(envelope)
    assert f"exit code 0 · {said}\n" in as_text(picture)
    assert f"· {said} ·" in markdown(story_of(*told))
    assert f"{said}, exit code 0." in messages[-1].body
