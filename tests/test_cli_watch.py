"""Proves `plexsuper watch`: it shows a run of another process on a terminal, and never touches it."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest

from plexsuper import events as e
from plexsuper.cli.following import FileRecord
from plexsuper.examples import RUN, envelopes
from plexsuper.journal import open_journal
from plexsuper.journal.file import NAME
from plexsuper.stream import Envelope, encode
from tests.journal import Writing

ID = "20261122T180601Z-7f3a"
WATCH = (sys.executable, "-m", "plexsuper", "watch")
FACTS = [event for _, event in RUN]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


class Terminal:
    """A terminal on which a command runs; what it shows is kept."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process = process
        self.shown = ""
        self._fd = fd

    async def until(self, text: str) -> None:
        """Wait until *text* was shown."""
        with anyio.fail_after(30):
            while text not in self.shown:
                assert await self._read(), f"{text!r} never came: {self.shown[-2000:]}"

    async def end(self) -> int:
        """Return the exit code of the command when it has ended."""
        with anyio.fail_after(30):
            while await self._read():
                pass
            return await anyio.to_thread.run_sync(self.process.wait, 30)

    async def _read(self) -> bool:
        await anyio.wait_readable(self._fd)
        try:
            piece = os.read(self._fd, 1 << 16)
        except OSError:  # the last process on a terminal has gone
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*WATCH, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@asynccontextmanager
async def running(state_dir: Path) -> AsyncIterator[Writing]:
    """Give a run of this process that writes its journal until the block ends."""
    writing = Writing(ID)
    with writing.recorder.envelopes.subscribe(Envelope) as taken:
        async with (
            open_journal(state_dir, ID, publish=writing.bus.publish) as journal,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(journal.keep, taken)
            yield writing
            taken.close()


def tell(writing: Writing, facts: list[e.Event]) -> None:
    for fact in facts:
        writing.bus.publish(fact)


@pytest.mark.blocking("starts a command on a terminal, as a person does")
async def test_a_run_is_shown_until_it_ends_and_its_summary_stays(tmp_path):
    async with running(tmp_path / "state") as run:
        tell(run, FACTS[:40])
        with terminal() as screen:
            await screen.until("Movies")
            tell(run, FACTS[40:])
            assert await screen.end() == 7
    assert "finished, but sections were set aside" in screen.shown
    assert "sonic analysis stalled twice" in screen.shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
@pytest.mark.blocking("starts a command on a terminal, as a person does")
async def test_leaving_never_touches_the_run(tmp_path, number):
    async with running(tmp_path / "state") as run:
        tell(run, FACTS[:40])
        with terminal(ID) as screen:
            await screen.until("Movies")
            screen.process.send_signal(number)
            assert await screen.end() == 0
        assert "The run goes on without you" in screen.shown
        tell(run, FACTS[40:])
    with terminal("7f3a", "--events", "text") as again:  # and it can be looked at once more
        assert await again.end() == 7
    assert "run ended after 1 h 13 m" in again.shown


@pytest.mark.blocking("starts a command on a terminal, as a person does")
async def test_it_waits_for_a_run_to_begin(tmp_path):
    with terminal("--wait", "--events", "jsonl") as screen:
        await screen.until("Waiting for a run to begin ...")
        async with running(tmp_path / "state") as run:
            tell(run, FACTS)
            assert await screen.end() == 7
    assert screen.shown.count('"v":1') == len(FACTS)


def test_without_a_run_that_goes_on_it_says_what_to_do(tmp_path):
    done = subprocess.run([*WATCH], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"no run goes on in {tmp_path}/state; `plexsuper watch --wait` waits for one, "
        "and `plexsuper runs show` tells of the last one\n"
    )
    wrong = subprocess.run(
        [*WATCH, "--events", "xml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (wrong.returncode, wrong.stderr) == (2, "--events: 'xml' is not one of auto, jsonl, text\n")


KILLED = """
import os, sys
from pathlib import Path
import anyio
from plexsuper.examples import RUN
from plexsuper.journal import open_journal
from plexsuper.stream import Envelope
from tests.journal import Writing

async def main():
    writing = Writing(sys.argv[2])
    with writing.recorder.envelopes.subscribe(Envelope) as taken:
        async with open_journal(Path(sys.argv[1]), sys.argv[2], publish=writing.bus.publish) as journal:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, taken)
                for _, event in RUN[:40]:
                    writing.bus.publish(event)
                sys.stdin.read()
                await anyio.sleep(1)
                os._exit(9)
anyio.run(main)
"""


def test_a_run_that_is_killed_is_left_with_its_last_words(tmp_path):
    root = str(Path(__file__).resolve().parents[1])
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "state"), ID]
    writer = subprocess.Popen(arguments, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root})
    while not (tmp_path / "state" / "runs" / ID / NAME).exists():
        assert writer.poll() is None
    watcher = subprocess.Popen([*WATCH, ID, "--events", "text"], stdout=subprocess.PIPE, text=True)
    writer.communicate(b"", timeout=30)
    assert writer.returncode == 9
    shown, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 1
    assert "Movies: scan, analysis" in shown
    assert "The run has not ended." in shown


def test_a_file_is_followed_line_by_line(tmp_path):
    lines = [encode(envelope) for envelope in envelopes()]
    file = tmp_path / "events.jsonl"
    record = FileRecord(file)
    assert record.find() is None
    with file.open("ab", buffering=0) as out:
        out.write(lines[0] + lines[1][:30])
        assert record.find() == "20261122-180601-7f3a"
        assert record.more() == [lines[0].rstrip()]
        assert record.more() == []
        out.write(lines[1][30:] + lines[2])
        assert record.more() == [lines[1].rstrip(), lines[2].rstrip()]
    file.write_bytes(lines[3])  # a log that was rotated begins anew
    assert record.more() == [lines[3].rstrip()]
    assert record.goes_on()


def test_a_file_of_a_run_that_ended_is_shown_to_its_end(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(encode(envelope) for envelope in envelopes()))
    done = subprocess.run(
        [*WATCH, str(file), "--events", "text"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert "run ended after 1 h 13 m" in done.stdout
