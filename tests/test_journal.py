"""The journal of a run: everything decisive is in it after any death, it stays small, and a failing disk costs nothing else."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from plexsuper import events as e
from plexsuper.decisions.resume import fold
from plexsuper.errors import StateError
from plexsuper.examples import MISHAPS, RUN
from plexsuper.examples import envelopes as told
from plexsuper.journal import RunRecord, Weight, find_unfinished, last_run, read, runs
from plexsuper.journal.file import NAME, Connection, JournalFile
from plexsuper.journal.keeper import Backlog, Journal
from plexsuper.journal.pruning import superfluous
from plexsuper.journal.weights import Line, Scale
from plexsuper.stream import Envelope, encode, parse
from plexsuper.terms import Activity, Outcome, Phase, SectionRef, SectionReport, Stage, Verdict
from tests.journal import START, Clock, Writing, inline, keeping, virtual_journal, write, write_now
from tests.virtual_time import run_virtual

FILMS = SectionRef(id=1, title="Films")
STARTED = e.RunStarted(profile="p", interval=1, stall_after=1, versions={}, sections=(), settings={})
NOISE = e.ActivitiesChanged(running=(Activity(uuid="u", kind="scan", title="Scanning Films", section=1),))
PLAIN = e.MountReady(path="/m", latency=0.1, detail="fine")
DONE = e.SectionFinished(section=FILMS, report=SectionReport(section=FILMS, outcome=Outcome.DONE))


def through(stage: Stage) -> e.StageFinished:
    return e.StageFinished(stage=stage, outcome=Outcome.DONE, seconds=1)


def ended(verdict: Verdict) -> e.RunFinished:
    return e.RunFinished(verdict=verdict, exit_code=0, duration=1, sections=())


def scanned(done: int) -> e.SectionPhaseProgressed:
    return e.SectionPhaseProgressed(
        section=FILMS, phase=Phase.SCAN, done=done, total=None, percent=None, rate=None, eta=None
    )


def types(state_dir: Path, run: str = "r") -> list[str]:
    if not (state_dir / "runs" / run / NAME).exists():
        return []
    return [parse(line)[0]["type"] for line in read(state_dir, run)]


# --- what is kept ------------------------------------------------------------------------------------


async def test_writing_never_blocks_the_loop_and_leaves_no_thread(tmp_path):
    writing = await write_now(tmp_path, "r", [envelope.event for envelope in told()])
    assert e.JournalFailed not in map(type, writing.facts)
    assert await anyio.to_thread.run_sync(types, tmp_path) == [envelope.type for envelope in told()]


def test_the_journal_holds_the_very_lines_of_the_event_stream_in_their_order(tmp_path):
    envelopes = list(told())
    writing = write(tmp_path, "r", [envelope.event for envelope in envelopes])
    heads = [parse(line) for line in read(tmp_path, "r")]
    assert [event for _, event in heads] == [envelope.event for envelope in envelopes]
    assert [head["seq"] for head, _ in heads] == list(range(1, len(envelopes) + 1))
    assert writing.facts == [envelope.event for envelope in envelopes]


def test_nobody_else_may_read_it_and_nothing_lies_beside_it(tmp_path):
    write(tmp_path, "r", [STARTED, ended(Verdict.DONE)])
    assert runs(tmp_path)[0].verdict is Verdict.DONE
    place = tmp_path / "runs" / "r"
    assert [file.name for file in place.iterdir()] == [NAME]
    assert stat.S_IMODE((place / NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_a_second_process_goes_on_in_the_same_journal_and_may_count_from_one_again(tmp_path):
    write(tmp_path, "r", [STARTED, DONE])
    write(tmp_path, "r", [STARTED, ended(Verdict.DONE)])
    assert types(tmp_path) == ["run.started", "section.finished", "run.started", "run.finished"]
    (record,) = runs(tmp_path)
    assert (record.state, record.verdict, record.sections_done) == ("ended", Verdict.DONE, 1)


def test_decisive_facts_are_on_disk_at_once_and_others_within_half_a_second(tmp_path):
    async def story() -> None:
        async with keeping(tmp_path) as writing:
            writing.bus.publish(PLAIN)
            await anyio.sleep(0.45)
            assert types(tmp_path, "story") == []
            await anyio.sleep(0.06)
            assert types(tmp_path, "story") == ["mount.ready"]
            writing.bus.publish(PLAIN)
            writing.bus.publish(DONE)
            await anyio.sleep(0.001)
            assert types(tmp_path, "story") == ["mount.ready", "mount.ready", "section.finished"]

    run_virtual(story)


def test_a_decisive_fact_takes_with_it_what_has_waited_for_others(tmp_path):
    async def story() -> None:
        async with keeping(tmp_path) as writing:
            writing.bus.publish(PLAIN)
            await anyio.sleep(0.1)
            writing.bus.publish(PLAIN)
            await anyio.sleep(0.1)
            assert types(tmp_path, "story") == []
            writing.bus.publish(DONE)
            await anyio.sleep(0.001)
            assert types(tmp_path, "story") == ["mount.ready", "mount.ready", "section.finished"]

    run_virtual(story)


def test_a_decisive_fact_is_on_disk_at_once_also_when_others_follow_it_in_the_same_moment(tmp_path):
    async def story() -> None:
        async with keeping(tmp_path) as writing:
            writing.bus.publish(PLAIN)
            await anyio.sleep(0.1)
            writing.bus.publish(DONE)
            writing.bus.publish(PLAIN)
            await anyio.sleep(0.001)
            assert types(tmp_path, "story") == ["mount.ready", "section.finished", "mount.ready"]

    run_virtual(story)


def test_a_journal_that_is_cancelled_stores_what_is_already_there(tmp_path):
    async def story() -> None:
        writing = Writing("story")
        journal = virtual_journal(tmp_path, writing.bus.publish)
        with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, envelopes)
                await anyio.sleep(1)
                writing.bus.publish(PLAIN)
                tasks.cancel_scope.cancel()
        assert types(tmp_path, "story") == ["mount.ready"]

    run_virtual(story)


@pytest.mark.parametrize(
    ("fact", "weight"),
    [
        (STARTED, Weight.DECISIVE),
        (through(Stage.QUIET), Weight.DECISIVE),
        (DONE, Weight.DECISIVE),
        (e.PrefsRestored(restored=(), kept=()), Weight.DECISIVE),
        (e.LibraryHealing(section=FILMS, files=2, folders=("/m",)), Weight.DECISIVE),
        (e.SnapshotTaken(path="/s", seconds=1, size=1), Weight.DECISIVE),
        (e.PlexFrozen(processes=3, seconds=0.01, reason="x"), Weight.DECISIVE),
        (PLAIN, Weight.ORDINARY),
        (e.RunHeartbeat(uptime=1, stage="scan"), Weight.DETAIL),
        (NOISE, Weight.DETAIL),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, Weight) else value.name,
)
def test_facts_are_weighed(fact, weight):
    assert weigh([fact]) == [weight]


def weigh(facts: list[e.Event], seconds: float = 1.0) -> list[Weight]:
    clock, scale = Clock(), Scale()
    writing = Writing("r", clock)
    with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
        for fact in facts:
            writing.bus.publish(fact)
            clock.move(seconds)
        return [scale.weigh(envelope) for envelope in envelopes.take()]


def test_of_progress_one_fact_a_minute_is_kept_for_long():
    assert weigh([scanned(n) for n in range(6)], seconds=30) == [
        Weight.ORDINARY,
        Weight.DETAIL,
        Weight.ORDINARY,
        Weight.DETAIL,
        Weight.ORDINARY,
        Weight.DETAIL,
    ]


def test_a_clock_that_is_set_back_or_forward_keeps_the_order_and_all_that_is_decisive(tmp_path):
    clock = Clock()

    async def story() -> None:
        async with keeping(tmp_path, clock) as writing:
            for number, jump in enumerate((0, -86_400, 7 * 86_400, -3 * 86_400)):
                clock.move(jump)
                writing.bus.publish(scanned(number))
                writing.bus.publish(DONE)
                await anyio.sleep(1)

    run_virtual(story)
    heads = [parse(line)[0] for line in read(tmp_path, "story")]
    assert [head["seq"] for head in heads] == list(range(1, 9))
    assert [head["ts"][:10] for head in heads[::2]] == [
        "2026-11-23",
        "2026-11-22",
        "2026-11-29",
        "2026-11-26",
    ]
    (record,) = runs(tmp_path)
    assert (record.sections_done, record.state) == (1, "running")


# --- the disk fails ----------------------------------------------------------------------------------


class Disk:
    """A disk that is full for a while; the files on it are real."""

    def __init__(self) -> None:
        self.full = False
        self.tries = 0

    async def connect(self, connector) -> Connection:
        self.tries += 1
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return Held(await inline(connector), self)


class Held:
    def __init__(self, connection: Connection, disk: Disk) -> None:
        self._connection, self._disk = connection, disk

    def __getattr__(self, name: str):
        return getattr(self._connection, name)

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        if self._disk.full:
            raise sqlite3.OperationalError("database or disk is full")
        await self._connection.executemany(sql, parameters)


def play_full(tmp_path: Path, disk: Disk, seconds: int, *, noise: int = 0) -> Writing:
    writing = Writing("story")

    async def story() -> None:
        file = JournalFile(tmp_path / "runs" / "story" / NAME, {"run": "story"}, disk.connect)
        journal = Journal(file, writing.bus.publish)
        with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, envelopes)
                writing.bus.publish(STARTED)
                await anyio.sleep(1)
                disk.full = True
                for _ in range(seconds):
                    writing.bus.publish(DONE)
                    for _ in range(noise):
                        writing.bus.publish(NOISE)
                    await anyio.sleep(1)
                disk.full = False
                await anyio.sleep(31)
                writing.bus.publish(ended(Verdict.DONE))
                envelopes.close()

    run_virtual(story)
    return writing


def test_a_full_disk_is_told_once_and_everything_is_written_when_there_is_room(tmp_path):
    disk = Disk()
    writing = play_full(tmp_path, disk, 100)
    told_ = [fact for fact in writing.facts if isinstance(fact, e.JournalFailed | e.JournalRestored)]
    (failed, restored) = told_
    assert isinstance(failed, e.JournalFailed)
    assert failed.detail.startswith("database or disk is full: make room")
    assert restored == e.JournalRestored(path=failed.path, missing=0)
    found = types(tmp_path, "story")
    assert found.count("section.finished") == 100
    assert (found.count("journal.failed"), found.count("journal.restored"), found[-1]) == (
        1,
        1,
        "run.finished",
    )
    assert disk.tries <= 10  # every 30 s at last, not with every fact


def test_memory_is_bounded_while_the_disk_is_full_and_details_go_first(tmp_path):
    writing = play_full(tmp_path, Disk(), 60, noise=100)
    (restored,) = [fact for fact in writing.facts if isinstance(fact, e.JournalRestored)]
    found = types(tmp_path, "story")
    assert found.count("section.finished") == 60
    assert restored.missing + found.count("activities.changed") == 6000
    assert 4000 < restored.missing < 6000


def test_a_backlog_keeps_what_is_decisive_and_the_newest_of_the_rest():
    backlog = Backlog({Weight.DECISIVE: 1000, Weight.ORDINARY: 20, Weight.DETAIL: 0})
    for seq, weight in enumerate([0, 1, 2, 1, 2, 1, 0]):
        backlog.put(Line(seq, "", "", "", None, "", Weight(weight), "0123456789"))
    backlog.trim()
    assert [line.seq for line in backlog] == [0, 3, 5, 6]
    assert backlog.dropped == 3


def test_a_directory_that_cannot_be_made_is_told_and_does_not_end_the_run(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    writing = write(tmp_path, "r", [STARTED, DONE])
    assert [type(fact) for fact in writing.facts][:2] == [e.RunStarted, e.SectionFinished]
    assert runs(tmp_path) == ()


async def test_lines_that_are_added_together_are_there_together_or_not_at_all(tmp_path):
    path = tmp_path / "runs" / "r" / NAME
    file = JournalFile(path, {"run": "r"})
    good, other = (
        Line(seq, "t", "run.started", "info", None, "start", Weight.DECISIVE, "{}") for seq in (1, 2)
    )
    with pytest.raises(sqlite3.Error):
        await file.add([good, other._replace(ts=object())], durable=True)  # type: ignore[arg-type]  # SQLite takes none

    def stored() -> list[tuple[int]]:
        with closing(sqlite3.connect(path)) as db:
            return db.execute("SELECT seq FROM lines").fetchall()

    assert await anyio.to_thread.run_sync(stored) == []
    await file.add([good, other], durable=True)
    assert await anyio.to_thread.run_sync(stored) == [(1,), (2,)]
    await file.close()


async def test_a_journal_that_somebody_removes_while_it_is_written_is_put_back_whole(tmp_path):
    path = tmp_path / "state" / "runs" / "r" / NAME
    file = JournalFile(path, {"run": "r"})
    first, second, third = (
        Line(seq, "t", "run.started", "info", None, "start", Weight.DECISIVE, "{}") for seq in (1, 2, 3)
    )
    await file.add([first], durable=True)
    await anyio.to_thread.run_sync(shutil.rmtree, tmp_path / "state")
    await file.add([second], durable=True)
    await file.add([third], durable=False)
    await file.close()

    def stored() -> list[tuple[int]]:
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM writers").fetchone() == (1,)
            return db.execute("SELECT seq FROM lines").fetchall()

    assert await anyio.to_thread.run_sync(stored) == [(1,), (2,), (3,)]
    assert [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777] == [0o600, 0o700]
    assert [entry.name for entry in path.parent.iterdir()] == [NAME]


# --- how large it grows ------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_days_fit_into_fifty_megabytes_and_lose_nothing_decisive(tmp_path):
    """Three simulated days in which something happens every three seconds (`bench/long_run.py` has a busier server)."""
    clock = Clock()
    writing = Writing("story", clock)
    largest = 0

    async def story() -> None:
        nonlocal largest
        journal = virtual_journal(tmp_path, writing.bus.publish)
        path = tmp_path / "runs" / "story" / NAME
        with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, envelopes)
                for step in range(72 * 3600 // 20):
                    clock.move(20)
                    publish_a_step(writing, step)
                    await anyio.sleep(20)
                    if step % 180 == 0:
                        largest = max(largest, sum(f.stat().st_size for f in path.parent.iterdir()))
                envelopes.close()

    writing.bus._taps.remove(writing.facts.append)
    run_virtual(story, patience=100)
    found = types(tmp_path, "story")
    assert largest < 50_000_000
    assert found.count("section.finished") == 72 * 3600 // 20 // 180
    assert found.count("section.phase.progressed") > 72 * 60 - 10  # one a minute, all three days long
    assert 10_000 < found.count("activities.changed") < 72 * 3600 // 20 * 3


def publish_a_step(writing: Writing, step: int) -> None:
    for part in range(3):
        writing.bus.publish(NOISE)
        writing.bus.publish(scanned(step * 3 + part))
    writing.bus.publish(e.RunHeartbeat(uptime=step * 20.0, stage="scan"))
    if step % 180 == 179:
        writing.bus.publish(DONE)


@pytest.fixture
def records() -> list[RunRecord]:
    return [RunRecord(id=f"{n:02d}", state="ended", verdict=Verdict.DONE, size=10_000_000) for n in range(30)]


def test_old_runs_are_pruned_but_never_unfinished_ones(records):
    records[3] = RunRecord(id="03", state="unfinished", continues="02")
    records[5] = RunRecord(id="05", state="running")
    records[7] = RunRecord(id="07", state="unfinished")
    records[20] = RunRecord(id="20", state="ended", verdict=Verdict.DONE, continues="07")
    assert superfluous(records, "29") == ("00", "01", "04", "06", "07", "08", "09")


def test_large_runs_are_pruned_sooner(records):
    records[28] = RunRecord(id="28", state="ended", verdict=Verdict.DONE, size=480_000_000)
    assert superfluous(records, "29") == tuple(f"{n:02d}" for n in range(27))


def test_a_new_run_prunes_the_old_ones(tmp_path):
    for number in range(22):
        write(tmp_path, f"{number:02d}", [STARTED, ended(Verdict.DONE)])
    assert [record.id for record in runs(tmp_path)] == [f"{number:02d}" for number in range(2, 22)]


# --- damaged journals --------------------------------------------------------------------------------


def big(tmp_path: Path) -> Path:
    """Write a journal of a few hundred pages and return its file."""
    write(tmp_path, "r", [STARTED, *(PLAIN for _ in range(4000)), DONE])
    return tmp_path / "runs" / "r" / NAME


def scribble(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * size)


def test_of_a_torn_journal_everything_before_and_behind_the_tear_is_read(tmp_path):
    path = big(tmp_path)
    scribble(path, path.stat().st_size // 2 // 4096 * 4096, 4096)
    seqs = [parse(line)[0]["seq"] for line in read(tmp_path, "r")]
    assert (seqs[0], seqs[-1]) == (1, 4002)
    assert 3900 < len(seqs) < 4002
    assert seqs == sorted(set(seqs))


def test_a_journal_that_was_cut_off_is_read_as_far_as_it_goes_and_listed(tmp_path):
    path = big(tmp_path)
    os.truncate(path, path.stat().st_size // 2)
    seqs = [parse(line)[0]["seq"] for line in read(tmp_path, "r")]
    assert seqs[:1900] == list(range(1, 1901))
    assert seqs == sorted(set(seqs))  # pages of lines and of the index lie between each other
    assert len(seqs) < 2100
    assert [record.id for record in runs(tmp_path)] == ["r"]


def test_a_file_that_is_no_journal_is_listed_as_unreadable_and_named_in_the_error(tmp_path):
    path = big(tmp_path)
    scribble(path, 0, 100)
    (record,) = runs(tmp_path)
    assert (record.state, record.id) == ("unreadable", "r")
    with pytest.raises(StateError, match=r"journal\.db cannot be read: file is not a database"):
        list(read(tmp_path, "r"))
    with pytest.raises(StateError, match=r"there is no run '\.\./r'"):
        list(read(tmp_path / "runs", "../r"))


def test_a_journal_with_nothing_in_it_is_not_taken_for_a_run_that_has_not_ended(tmp_path):
    path = big(tmp_path)
    os.truncate(path, 0)
    assert [record.state for record in runs(tmp_path)] == ["unreadable"]
    with pytest.raises(StateError, match=r"journal\.db cannot be read: nothing is in it"):
        list(read(tmp_path, "r"))


def test_a_journal_of_a_newer_plexsuper_is_not_guessed_at(tmp_path):
    write(tmp_path, "r", [STARTED])
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / NAME)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(StateError, match="written by a newer plexsuper"):
        list(read(tmp_path, "r"))


# --- what can go on ----------------------------------------------------------------------------------


def killed(tmp_path: Path, run: str, *facts: e.Event, **options) -> None:
    """Write a journal whose process is gone."""
    write(tmp_path, run, facts, **options)
    with closing(sqlite3.connect(tmp_path / "runs" / run / NAME)) as db:
        db.execute("UPDATE writers SET born = born - 1")
        db.commit()


def test_the_last_run_with_the_same_settings_is_the_one_that_may_go_on(tmp_path):
    killed(tmp_path, "1", STARTED, DONE, fingerprint="here")
    killed(tmp_path, "2", STARTED, fingerprint="elsewhere")
    found = find_unfinished(tmp_path, "here")
    assert found is not None
    assert (found.run, [report.section for report in found.done]) == ("1", [FILMS])
    write(tmp_path, "3", [STARTED, ended(Verdict.DONE)], fingerprint="here")
    assert find_unfinished(tmp_path, "here") is None
    past = last_run(tmp_path, "here")
    assert past is not None
    assert past.run == "3"
    assert find_unfinished(tmp_path, "nowhere") is None


def test_every_fact_that_counts_for_going_on_is_taken_from_the_journal(tmp_path):
    begun = fold("r", [(START, STARTED)])
    facts = [fact for _, fact in (*RUN, *MISHAPS)]
    counting = {type(fact): fact for fact in facts if fold("r", [(START, STARTED), (START, fact)]) != begun}
    assert counting.keys() > {e.SectionFinished, e.SectionFilesRetried}
    for number, fact in enumerate(counting.values()):
        killed(tmp_path, str(number), STARTED, fact, fingerprint=str(number))
        past = last_run(tmp_path, str(number))
        assert past is not None
        assert replace(past, run="r", started=START, last_ts=START) == fold(
            "r", [(START, STARTED), (START, fact)]
        ), fact


def test_a_run_that_is_still_written_cannot_be_taken_over(tmp_path):
    write(tmp_path, "1", [STARTED], fingerprint="here")  # this process lives
    assert runs(tmp_path)[0].state == "running"
    assert find_unfinished(tmp_path, "here") is None


def test_a_run_that_went_on_under_another_name_has_done_what_both_have_done(tmp_path):
    music = SectionRef(id=2, title="Music")
    report = SectionReport(section=music, outcome=Outcome.DONE)
    killed(tmp_path, "1", STARTED, through(Stage.DATABASE), DONE, fingerprint="here")
    killed(
        tmp_path,
        "2",
        STARTED,
        e.SectionFinished(section=music, report=report),
        fingerprint="here",
        continues="1",
    )
    found = find_unfinished(tmp_path, "here")
    assert found is not None
    assert (found.run, [r.section.title for r in found.done], found.database_done) == (
        "2",
        ["Films", "Music"],
        True,
    )


def test_an_envelope_is_the_same_line_in_the_stream_and_in_the_journal():
    envelope = next(iter(told()))
    assert Scale().line(envelope).line + "\n" == encode(envelope).decode()
