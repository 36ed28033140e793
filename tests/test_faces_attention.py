"""Proves what a person is told who is not looking: what, when, and not too often."""

from typing import get_args

import pytest

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, MUSIC, RUN, envelopes
from plexsuper.faces.attention import Attention, Message
from plexsuper.terms import Matter, Outcome, RemovalCounts, SectionReport, Stage, Verdict

EVERYTHING = get_args(Matter)
HOUR, DAY = 3600.0, 86400.0
START = RUN[0]
LOST = e.MountLost(path="/media", reason="dead", detail="not connected")
BACK = e.MountRestored(path="/media", after=60.0)


def told(*story: tuple[float, e.Event], when=EVERYTHING, storage_after: float = 600.0) -> list[Message]:
    attention = Attention(when, storage_after=storage_after)
    return [message for envelope in envelopes(story) for message in attention.see(envelope)]


def beats(start: float, end: float, every: float = 30.0) -> list[tuple[float, e.Event]]:
    number = int((end - start) / every)
    return [
        (start + n * every, e.RunHeartbeat(uptime=n * every, stage="sections")) for n in range(1, number + 1)
    ]


def titles(messages: list[Message]) -> list[str]:
    return [message.title.removeprefix("plexsuper: ") for message in messages]


def test_a_quiet_run_tells_only_its_end():
    assert titles(told(*((t, ev) for t, ev in RUN if not isinstance(ev, e.SectionFinished)))) == [
        "finished, but sections were set aside after 1 h 13 m"
    ]


def test_the_end_lists_the_sections_and_whether_anybody_is_needed():
    (*_, message) = told(*RUN)
    assert message.matter == "finished"
    assert not message.good
    assert message.body == (
        "1 of 2 sections was set aside\nMovies: done\nMusic: set aside; sonic analysis stalled twice\n"
        "9 warnings and errors, exit code 7."
    )


def test_storage_is_told_when_it_stays_lost_and_not_again_within_the_hour():
    lost = told(START, (10.0, LOST), *beats(10.0, 10.0 + HOUR))
    assert titles(lost) == ["storage has been lost for 10 min"]
    assert lost[0].body.startswith("/media: its file system is dead (not connected)\nNow: ")
    longer = told(START, (10.0, LOST), *beats(10.0, 10.0 + 2 * HOUR))
    assert titles(longer) == ["storage has been lost for 10 min", "storage has been lost for 1 h 10 m"]


def test_storage_that_comes_back_in_time_is_not_told():
    assert told(START, (10.0, LOST), *beats(10.0, 590.0), (600.0, BACK), *beats(600.0, 3000.0)) == []
    again = ((0.0, START[1]), (10.0, LOST), (500.0, BACK), (600.0, LOST), *beats(600.0, 1100.0))
    assert told(*again) == []  # two short outages are no long one


@pytest.mark.parametrize(
    ("event", "matter", "title"),
    [
        (
            e.MountLost(path="/m", reason="auth", detail="403"),
            "credentials",
            "storage refuses the credentials",
        ),
        (e.MountAbandoned(path="/m", detail="lost for 30 min"), "storage", "storage is given up"),
        (e.PlexFaultSeen(fault="claim_failed", detail="expired"), "claim", "Plex could not be claimed"),
        (e.PlexFaultSeen(fault="crash_loop", detail="x"), "plex", "Plex has a fault"),
        (e.JournalFailed(path="/j", detail="no space left"), "space", "the journal cannot be written"),
        (e.GuardConfirmed(section=MOVIES, detail="x"), "loss", "the library is in danger"),
        (
            e.LibraryVerified(section=MOVIES, counts=RemovalCounts(lost=2)),
            "loss",
            "2 entries of the library lost",
        ),
        (
            e.SectionFinished(
                section=MUSIC, report=SectionReport(section=MUSIC, outcome=Outcome.SET_ASIDE, reason="x")
            ),
            "section",
            "Music is set aside",
        ),
    ],
)
def test_what_needs_a_person_is_told_at_once_but_only_if_it_is_wanted(event, matter, title):
    (message,) = told(START, (1.0, event))
    assert (message.matter, message.title, message.good) == (matter, f"plexsuper: {title}", False)
    assert told(START, (1.0, event), when=set(EVERYTHING) - {matter}) == []


def test_healed_removals_and_finished_sections_need_nobody():
    healed = e.LibraryVerified(section=MOVIES, counts=RemovalCounts(healed=20, confirmed=3))
    done = e.SectionFinished(section=MOVIES, report=SectionReport(section=MOVIES, outcome=Outcome.DONE))
    assert told(START, (1.0, healed), (2.0, done)) == []


def test_an_open_question_is_told_after_a_minute():
    asked = (START, (0.0, e.StageStarted(stage=Stage.INPUTS)))
    assert told(*asked, *beats(0.0, 30.0)) == []
    assert titles(told(*asked, *beats(0.0, 300.0))) == ["a question is open at the terminal"]


def test_a_long_run_is_summed_up_every_day():
    summaries = told(START, *beats(0.0, 3 * DAY, every=600.0))
    assert titles(summaries) == ["running for 1 day", "running for 2 days", "running for 3 days"]
    assert all(message.good for message in summaries)


def test_no_more_than_ten_messages_an_hour_and_the_next_one_counts_those_held_back():
    def fault(number: int) -> e.Event:
        return e.LibraryVerified(
            section=MOVIES.__class__(id=number, title=f"S{number}"), counts=RemovalCounts(lost=1)
        )

    storm = [(float(n), fault(n)) for n in range(1, 26)]
    messages = told(START, *storm, (2 * HOUR, fault(99)))
    assert len(messages) == 11
    assert messages[-1].body.endswith("\n15 messages before this one held back.")


def test_the_end_is_told_even_in_a_storm():
    everything = tuple(sorted((*RUN, *MISHAPS), key=lambda one: one[0]))
    assert told(*everything)[-1].matter == "finished"


COPIED = e.SnapshotTaken(path="/copy", size=1, seconds=0.5)
MISSING = e.LibraryVerified(section=MOVIES, counts=RemovalCounts(lost=22))
THE_RUN = e.LibraryVerified(section=None, counts=RemovalCounts(lost=22))


def test_entries_that_a_copy_may_bring_back_are_missing_and_not_yet_lost():
    revived = e.LibraryRevived(wanted=22, untrashed=22, reinserted=0, already=0, lost=0)
    restored = e.LibraryVerified(section=MOVIES, counts=RemovalCounts(restored=22))
    ended = e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=34.0, sections=())
    missing, finished = told(
        START, (1, COPIED), (5, MISSING), (6, THE_RUN), (8, revived), (8.1, restored), (9, ended)
    )
    assert missing.title == "plexsuper: 22 entries of the library missing"
    assert "The copy from before the run may bring them back: the end of the run tells" in missing.body
    assert "Of the library: 22 restored from the snapshot.\n" in finished.body


def test_what_the_copy_could_not_bring_back_is_lost_and_told_within_the_same_hour():
    revived = e.LibraryRevived(wanted=22, untrashed=20, reinserted=0, already=0, lost=2)
    lost = e.LibraryVerified(section=MOVIES, counts=RemovalCounts(restored=20, lost=2))
    assert titles(told(START, (1, COPIED), (5, MISSING), (8, revived), (8.1, lost))) == [
        "22 entries of the library missing",
        "2 entries of the library lost",
    ]


def test_without_a_copy_they_are_lost_at_once_and_the_run_repeats_no_section():
    assert titles(told(START, (5, MISSING), (6, THE_RUN))) == ["22 entries of the library lost"]
    assert titles(told(START, (6, THE_RUN))) == ["22 entries of the library lost"]


def test_who_wants_to_be_told_of_losses_only_hears_of_them_at_the_end():
    ended = e.RunFinished(
        verdict=Verdict.LOSS, exit_code=8, duration=34.0, sections=(), detail="2 entries are lost"
    )
    assert titles(told(START, (1, COPIED), (5, MISSING), (9, ended), when=("loss",))) == [
        "22 entries of the library missing",
        "library entries were lost",
    ]
    assert len(told(START, (9, ended))) == 1
