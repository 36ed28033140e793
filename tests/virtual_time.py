"""A clock for tests that jumps: hours of waiting pass at once, and a run that would wait for ever fails.

`run_virtual` plays an asynchronous function on an event loop whose time moves only when nothing can run, and
then straight to the next timer. Sleeps, deadlines and `anyio.current_time` all follow it. What is unrealistic:
nothing takes time but waiting, and there is no outside world. Threads, sockets, pipes, signals and child
processes would look like silence to such a clock, so using one fails the test, even when the code under test
swallows the error.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import anyio
import pytest

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeError(Exception):
    """The test cannot be played in virtual time, or would never end."""


def run_virtual(
    function: Callable[[*Ts], Awaitable[T]], *args: *Ts, start: float = 0.0, patience: float = 60.0
) -> T:
    """Run ``function(*args)`` in virtual time and return its result; for use in ordinary `def` tests.

    Args:
        function: What to run; it is called inside the loop.
        *args: Its arguments.
        start: What the clock shows at first, in seconds.
        patience: Real seconds after which a run that does not end is given up.

    Raises:
        VirtualTimeError: Nothing can ever happen again, the run does not end within *patience*, or it used
            something that virtual time cannot see.

    """
    loop = VirtualLoop(start=start, patience=patience)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", _without_threads(loop, threading.Thread.start))
            return anyio.run(function, *args, backend_options={"loop_factory": lambda: loop})
    finally:
        if loop.broken is not None:
            raise loop.broken


def _without_threads(loop: "VirtualLoop", start: Callable[[threading.Thread], None]) -> Any:
    """Refuse threads to the story, but not to others in this process (the server of a fixture, say)."""
    player = threading.get_ident()

    def start_elsewhere(thread: threading.Thread) -> None:
        if threading.get_ident() == player:
            loop.refuse(f"a thread ({thread.name})")
        start(thread)

    return start_elsewhere


def _refused(what: str) -> Any:
    def refuse(self: "VirtualLoop", *_args: object, **_options: object) -> NoReturn:
        self.refuse(what)

    return refuse


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without an outside world, whose clock jumps to the next timer when nothing else can run."""

    def __init__(self, *, start: float, patience: float) -> None:
        super().__init__()
        self._now = start
        self._patience = patience
        self._patience_ends = time.monotonic() + patience
        self._selector = (
            self  # the base class asks its selector for news: that is the moment to move the clock
        )
        self.broken: VirtualTimeError | None = None

    def time(self) -> float:
        """Tell the virtual time, in seconds."""
        return self._now

    def select(self, timeout: float | None) -> list[object]:
        """Let *timeout* virtual seconds pass; `None` means that no timer is set and nobody can run."""
        if time.monotonic() > self._patience_ends:
            self._patience_ends = time.monotonic() + self._patience  # the clean-up gets its own
            self.give_up(
                f"the run does not end: after {self._patience:g} s the clock shows {self._now:.3f} s"
            )
        if timeout is None:
            self.give_up(f"nothing will ever happen: no timer is set and all wait\n{self._who_waits()}")
        self._now += timeout
        return []

    def refuse(self, what: str) -> NoReturn:
        """Give up because the story uses *what*, which the clock cannot see."""
        self.give_up(
            f"{what} cannot be used in virtual time, the clock would jump meanwhile: use a real loop"
        )

    def give_up(self, why: str) -> NoReturn:
        """Raise now, and once more at the end of the run in case somebody swallows it."""
        error = VirtualTimeError(why)
        self.broken = self.broken or error
        raise error

    def _who_waits(self) -> str:
        lines = []
        for task in asyncio.all_tasks(self):
            stack = task.get_stack()
            place = f"{stack[-1].f_code.co_filename}:{stack[-1].f_lineno}" if stack else "its first line"
            lines.append(f"  {task.get_name()} at {place}")
        return "\n".join(sorted(lines))

    def _process_events(self, event_list: list[object]) -> None:
        """Do nothing: `select` never brings news."""

    def _write_to_self(self) -> None:
        """Do nothing: there is no other thread to wake the loop for."""

    run_in_executor = _refused("a thread")
    subprocess_exec = _refused("a child process")
    subprocess_shell = _refused("a child process")
    connect_read_pipe = _refused("a pipe")
    connect_write_pipe = _refused("a pipe")
    create_connection = _refused("a socket")
    create_server = _refused("a socket")
    create_unix_connection = _refused("a socket")
    create_unix_server = _refused("a socket")
    create_datagram_endpoint = _refused("a socket")
    add_reader = _refused("a file descriptor")
    add_writer = _refused("a file descriptor")
    add_signal_handler = _refused("a signal handler")
