"""Proves that the beginnings of files are read in another process, within a limit, and what becomes of those that cannot."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import IO

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.warm import Warming, warm_section
from plexsuper.clients.storage import warm_helper
from plexsuper.clients.storage.warm_worker import WarmWorker
from plexsuper.terms import SectionRef, WarmFailure

FILMS = SectionRef(id=1, title="Films")


@pytest.fixture
def films(tmp_path) -> list[str]:
    paths = []
    for number in range(300):
        path = tmp_path / f'Fílm {number} "it\'s".mkv'
        path.write_bytes(b"x" * (100_000 if number % 2 else 1000))
        paths.append(str(path))
    return paths


@pytest.mark.lesson("F01")
async def test_the_first_64_kib_of_every_file_are_read_and_failures_are_listed_by_name(
    films, tmp_path
) -> None:
    told: list[e.Event] = []
    gone, directory = str(tmp_path / "gone.mkv"), str(tmp_path)
    finished = await warm_section(FILMS, [*films, gone, directory], told.append, limit=lambda: 16)
    assert finished.read == 300
    assert finished.bytes_read == 150 * 65536 + 150 * 1000
    assert sorted(finished.failed, key=lambda failure: failure.reason) == [
        WarmFailure(path=directory, reason="Is a directory"),
        WarmFailure(path=gone, reason="No such file or directory"),
    ]
    assert told[-1] == finished


async def test_a_name_that_is_not_utf_8_is_read_too(tmp_path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mkv")
    await anyio.Path(name).write_bytes(b"x" * 10)
    finished = await Warming(FILMS, [name], limit=lambda: 1).run(lambda _: None)
    assert (finished.read, finished.failed) == (1, ())


async def test_never_more_are_read_at_once_than_the_limit_allows_now(films, monkeypatch) -> None:
    limits, most = iter([3, 3, 3, 7, 7, *[2] * 10_000]), []
    read = WarmWorker.read
    limit = 0

    def asked() -> int:
        nonlocal limit
        limit = next(limits)
        return limit

    def counted(self, path) -> None:
        read(self, path)
        most.append((len(self.reading), limit))

    monkeypatch.setattr(WarmWorker, "read", counted)
    finished = await Warming(FILMS, films, limit=asked).run(lambda _: None)
    assert finished.read == 300
    assert [pair for pair in most if pair[0] > pair[1]] == []
    assert {limit for _, limit in most} == {2, 3, 7}


async def test_a_warming_that_was_cancelled_goes_on_where_it_was(films) -> None:
    warming = Warming(FILMS, films, limit=lambda: 4)
    with anyio.CancelScope() as scope:
        note = warming._note

        def noted(seen) -> None:
            note(seen)
            if warming._read == 100:
                scope.cancel()

        warming._note = noted  # type: ignore[method-assign]  # to cancel at a moment that is known
        await warming.run(lambda _: None)
    assert 190 <= warming.left <= 200
    finished = await warming.run(lambda _: None)
    assert (finished.read, finished.left) == (300, 0)


async def test_reads_that_never_end_fail_after_their_patience_and_hold_nobody(tmp_path, films) -> None:
    stuck = [str(tmp_path / f"stuck-{number}") for number in range(2)]
    for name in stuck:
        os.mkfifo(name)  # opening one waits for a writer that never comes
    began = anyio.current_time()
    finished = await Warming(FILMS, [*stuck, *films], limit=lambda: 4, patience=0.3).run(lambda _: None)
    assert {failure.path for failure in finished.failed} >= set(stuck)
    assert finished.failed[0].reason == "no answer within 0.3 s"
    assert finished.read + len(finished.failed) == 302
    assert finished.left == 0
    assert anyio.current_time() - began < 30


async def test_a_storage_that_answers_nothing_is_left_after_three_workers(tmp_path) -> None:
    stuck = [str(tmp_path / f"stuck-{number}") for number in range(20)]
    for name in stuck:
        os.mkfifo(name)
    finished = await Warming(FILMS, stuck, limit=lambda: 2, patience=0.2).run(lambda _: None)
    assert (finished.read, len(finished.failed), finished.left) == (0, 6, 14)


async def test_progress_is_told_now_and_then(tmp_path, monkeypatch, films) -> None:
    monkeypatch.setattr("plexsuper.actions.warm._TELL_EVERY", 0.0)
    told: list[e.Event] = []
    await Warming(FILMS, films, limit=lambda: 8).run(told.append)
    first = told[0]
    assert isinstance(first, e.WarmProgressed)
    assert (first.section, first.total, first.failed) == (FILMS, 300, 0)
    done = [fact.done for fact in told if isinstance(fact, e.WarmProgressed)]
    assert done == sorted(done)


async def test_a_worker_that_is_killed_costs_the_files_it_was_reading_and_no_more(films, tmp_path) -> None:
    os.mkfifo(tmp_path / "stuck")
    warming = Warming(FILMS, [str(tmp_path / "stuck"), *films], limit=lambda: 1)
    workers: list[WarmWorker] = []
    read = WarmWorker.read

    def kill_first(self, path) -> None:
        read(self, path)
        if not workers:
            workers.append(self)
            assert self._child is not None
            self._child.send(signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WarmWorker, "read", kill_first)
        finished = await warming.run(lambda _: None)
    assert finished.failed == (WarmFailure(path=str(tmp_path / "stuck"), reason="the worker process ended"),)
    assert finished.read == 300


def test_nothing_to_warm_starts_no_process(monkeypatch) -> None:
    monkeypatch.setattr(WarmWorker, "__aenter__", None)
    finished = anyio.run(partial(Warming(FILMS, [], limit=lambda: 1).run, lambda _: None))
    assert (finished.read, finished.left) == (0, 0)


def test_a_machine_that_gives_no_more_threads_has_every_file_read_by_those_that_are_there(tmp_path) -> None:
    """Pipes are read from until somebody has opened their other end, so each holds one thread."""
    pipes = [tmp_path / f"pipe {number}" for number in range(8)]
    for pipe in pipes:
        os.mkfifo(pipe)
    argv = [sys.executable, "-I", "-S", warm_helper.__file__, "4096"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        ask(helper.stdin, 0, str(tmp_path))  # its first thread runs when this is answered
        assert json.loads(helper.stdout.readline()) == [0, 0, errno.EISDIR]
        room = (
            int(Path(f"/proc/{helper.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + 2**20
        )
        resource.prlimit(helper.pid, resource.RLIMIT_AS, (room, room))
        for number, pipe in enumerate(pipes, start=1):
            ask(helper.stdin, number, str(pipe))
        threads = Path(f"/proc/{helper.pid}/task")
        for pipe in pipes:
            let_go(helper, pipe)
            assert len(list(threads.iterdir())) < 8
        answers = [json.loads(helper.stdout.readline())[0] for _ in pipes]
    assert sorted(answers) == [1, 2, 3, 4, 5, 6, 7, 8]


def ask(helper: IO[bytes], number: int, path: str) -> None:
    helper.write(json.dumps([number, path]).encode() + b"\n")
    helper.flush()


def let_go(helper: "subprocess.Popen[bytes]", pipe: Path) -> None:
    """Open and close the other end of *pipe*, as soon as *helper* has it open."""
    while True:
        assert helper.poll() is None
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            assert error.errno == errno.ENXIO  # noqa: PT017 - nobody reads it yet
        else:
            return
