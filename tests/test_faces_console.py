"""Proves the live view on a terminal: it draws when it should, is silent when it must, and never holds up a run."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from plexsuper import events as e
from plexsuper.bus import Bus
from plexsuper.examples import MOVIES, envelopes
from plexsuper.faces.console import Screen, show_console
from plexsuper.faces.face import JsonLines, LiveView, PlainLines, open_face
from plexsuper.state import Now
from plexsuper.stream import Envelope
from plexsuper.terms import Phase

START = datetime(2026, 11, 22, 18, 6, 1, tzinfo=UTC)
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
CUTS, WRAPS = "\x1b[?7l", "\x1b[?7h"
LOST = e.PlexLost(detail="x")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Terminal:
    """The reading end of a pipe, standing for a terminal that takes everything."""

    def __init__(self) -> None:
        self.fd, self.screen_fd = os.pipe()
        os.set_blocking(self.fd, False)
        self.clock = Clock()
        self.screen = Screen(self.screen_fd, zone=UTC, clock=self.clock)

    async def drawn(self) -> bytes:
        """Return what came since the last look."""
        await self.screen.writer.flush()
        try:
            return os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return b""

    async def close(self) -> None:
        await self.screen.writer.finish()
        os.close(self.fd)
        os.close(self.screen_fd)


@pytest.fixture(autouse=True)
def _terminal_of_80_by_24(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def stamped(event: e.Event) -> Envelope:
    return Envelope(ts=START, run="r", seq=1, event=event, now=Now())


def subscription(events: Iterator[Envelope]):
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as taken:
        for envelope in events:
            bus.publish(envelope)
    return taken


async def test_it_draws_only_when_something_changed_or_a_second_went_by():
    terminal = Terminal()
    screen = terminal.screen
    screen.see(stamped(LOST))
    screen.refresh()
    assert b"Plex is lost: x" in await terminal.drawn()
    terminal.clock.move(0.25)
    screen.refresh()
    assert await terminal.drawn() == b""  # nothing is new
    screen.see(stamped(e.LibraryChanged(rows=1)))
    screen.see(
        stamped(
            e.SectionPhaseProgressed(
                section=MOVIES, phase=Phase.SCAN, done=1, total=2, percent=50, rate=1, eta=1
            )
        )
    )
    screen.refresh()
    assert await terminal.drawn() == b""  # what comes all the time waits for the next second
    terminal.clock.move(0.75)
    screen.refresh()
    assert b"0:00:01" in await terminal.drawn()
    screen.see(stamped(e.PlexLost(detail="y")))
    screen.refresh()
    assert b"Plex is lost: y" in await terminal.drawn()  # news are drawn at once
    await terminal.screen.finish()
    await terminal.close()


@pytest.mark.lesson("L21", "L26")
async def test_nothing_is_drawn_while_a_prompt_is_open():
    terminal, stdout = Terminal(), sys.stdout
    screen = terminal.screen
    screen.see(stamped(LOST))
    screen.refresh()
    async with screen.paused():
        before = await anyio.to_thread.run_sync(os.read, terminal.fd, 1 << 16)
        assert before.rindex(SHOW) > before.rindex(HIDE)  # a person who types sees the cursor
        screen.see(stamped(e.PlexLost(detail="meanwhile")))
        terminal.clock.move(5)
        screen.refresh()
        assert sys.stdout is stdout  # a prompt is not caught by the live view
        with pytest.raises(BlockingIOError):
            os.read(terminal.fd, 1)
    screen.refresh()
    assert b"Plex is lost: meanwhile" in await terminal.drawn()
    await screen.finish()
    await terminal.close()


async def test_a_terminal_that_became_narrower_is_cleared_before_the_next_frame(monkeypatch):
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("LINES")
    size = os.terminal_size((80, 24))
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd=1: size)
    terminal = Terminal()
    terminal.screen.see(stamped(LOST))
    terminal.screen.refresh()
    assert "─" * 80 in (await terminal.drawn()).decode()
    size = os.terminal_size((50, 24))
    terminal.screen.refresh()
    frame = (await terminal.drawn()).decode()
    assert "\x1b[2J\x1b[H" in frame
    after = frame.partition("\x1b[2J\x1b[H")[2]
    assert "─" * 50 in after
    assert "─" * 51 not in after
    await terminal.screen.finish()
    await terminal.close()


async def test_a_row_that_is_wider_on_the_terminal_than_here_is_cut_there_and_not_broken():
    terminal = Terminal()
    screen = terminal.screen
    screen.see(stamped(e.PlexLost(detail="क्षत्रिय हिन्दी")))  # eight columns here, fifteen on some terminals
    screen.refresh()
    frame = (await terminal.drawn()).decode()
    assert all(piece.endswith(WRAPS) for piece in frame.split(CUTS)[1:])
    row = frame.index("क्षत्रिय")
    assert frame.rindex(CUTS, 0, row) > frame.rfind(WRAPS, 0, row)
    async with screen.paused():
        before = await anyio.to_thread.run_sync(os.read, terminal.fd, 1 << 16)
        assert before.decode().endswith(WRAPS)  # what a person types is broken as usual
    screen.refresh()
    await screen.finish()
    end = (await anyio.to_thread.run_sync(os.read, terminal.fd, 1 << 16)).decode()
    summary = end.index("The run has not ended")
    assert end.rindex(WRAPS, 0, summary) > end.rindex(CUTS, 0, summary)
    assert CUTS not in end[summary:]
    await terminal.close()


async def test_a_frozen_terminal_gets_no_more_frames_and_does_not_hold_up_the_end():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)  # it takes nothing more
    screen = Screen(writer, zone=UTC)
    for number in range(100):
        screen.see(stamped(e.PlexLost(detail=f"{number}")))
        screen.refresh()
        await anyio.lowlevel.checkpoint()
    assert not screen.writer.idle
    assert screen.writer.dropped == 0  # the second frame was not even drawn
    with anyio.fail_after(10):
        await screen.finish()
    dropped = screen.writer.dropped
    assert 0 < dropped < 10
    assert os.read(reader, 8192) == b"x" * 4096
    os.close(reader)
    os.close(writer)


async def test_the_last_frame_stays_and_the_summary_follows():
    terminal = Terminal()
    taken = subscription(envelopes())
    with anyio.fail_after(10):
        await show_console(taken, terminal.screen, places={"events": "/run/events.jsonl"})
    shown = os.read(terminal.fd, 1 << 16)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert text.rindex("stop done in 3 s") < text.rindex(
        "finished, but sections were set aside after 1 h 13 m"
    )
    assert text.rstrip().endswith("events  /run/events.jsonl")
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    await terminal.close()


async def test_a_cancelled_run_gives_the_cursor_back():
    terminal = Terminal()
    bus: Bus[Envelope] = Bus()
    with anyio.fail_after(10), bus.subscribe(Envelope) as taken:
        async with anyio.create_task_group() as group:
            group.start_soon(show_console, taken, terminal.screen)
            bus.publish(stamped(LOST))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    shown = os.read(terminal.fd, 1 << 16)
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    assert b"The run has not ended." in shown
    await terminal.close()


PROGRAM = """
import anyio
from plexsuper.bus import Bus
from plexsuper.examples import envelopes
from plexsuper.faces.face import open_face
from plexsuper.stream import Envelope

async def main():
    bus = Bus()
    with bus.subscribe(Envelope) as taken:
        for envelope in envelopes():
            bus.publish(envelope)
    await open_face("auto").show(taken)

anyio.run(main)
"""


def on_a_terminal(**environment: str) -> str:
    """Run PROGRAM on a real pseudo-terminal of 60 x 24 and return all that it wrote."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=env | environment
    ) as child:
        os.close(slave)
        written = b""
        try:
            while chunk := os.read(master, 1 << 16):
                written += chunk
        except OSError:  # Linux tells the end of a pseudo-terminal so
            pass
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait() == 0
    os.close(master)
    return written.decode()


def test_a_real_terminal_gets_a_live_view_of_its_width_in_colour():
    shown = on_a_terminal()
    assert "─" * 60 in shown
    assert "─" * 61 not in shown
    assert "\x1b[1;31m" in shown  # errors are bold red


def test_no_color_is_obeyed():
    shown = on_a_terminal(NO_COLOR="1")
    assert "─" * 60 in shown
    assert not re.search(r"\x1b\[(?:[0-9]+;)*(?:3[0-9]|4[0-9]|9[0-7])[;m]", shown)


def test_a_dumb_terminal_gets_plain_lines():
    shown = on_a_terminal(TERM="dumb")
    assert "\x1b" not in shown
    assert "] ✘ storage /media is lost: it hangs (no answer for 10 s)" in shown


@pytest.mark.parametrize(
    ("wanted", "term", "face"),
    [
        ("auto", "xterm", LiveView),
        ("auto", "dumb", PlainLines),
        ("auto", "", PlainLines),
        ("text", "xterm", PlainLines),
        ("jsonl", "xterm", JsonLines),
    ],
)
async def test_the_face_for_a_terminal(wanted, term, face, monkeypatch):
    monkeypatch.setenv("TERM", term)
    master, slave = os.openpty()
    chosen = open_face(wanted, fd=slave)
    assert type(chosen) is face
    with anyio.fail_after(10):
        await chosen.show(subscription(iter(())))
    assert chosen.dropped() == 0
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("wanted", "face"), [("auto", JsonLines), ("jsonl", JsonLines), ("text", PlainLines)]
)
async def test_the_face_for_a_file(wanted, face, tmp_path: Path):
    with (tmp_path / "out").open("wb") as file:
        chosen = open_face(wanted, fd=file.fileno())
        assert type(chosen) is face
        await chosen.show(subscription(envelopes()))
    lines = (tmp_path / "out").read_text().splitlines()
    assert (lines[0][0] == "{") == (face is JsonLines)
    assert len(lines) > 50
