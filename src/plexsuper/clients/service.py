"""The service manager that started plexsuper: told that the run is under way, where it stands, and that it is alive.

The protocol is systemd's `sd_notify`: datagrams of `NAME=value` lines to the socket in `NOTIFY_SOCKET`.
"""

import math
import os
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Never

import anyio

from plexsuper.state import Now
from plexsuper.terms import Stage

TICK: Final = 1.0
"""How often the status is looked at, in seconds."""

EXTENSION: Final = 60.0
"""How much more time a run that starts or cleans up asks for at each look, in seconds."""

READY: Final = "READY=1"

_PATIENCE: Final = 1.0
_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_BEFORE: Final = frozenset({None, Stage.PREFLIGHT})
_CLEAN_UP: Final = frozenset({Stage.RESTORE, Stage.STOP, Stage.EXPORT})


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Where the manager listens, and how often it wants a sign of life (half its patience, in seconds; or never)."""

    address: str
    alive_every: float | None = None

    async def tell(self, *lines: str) -> bool:
        """Send *lines* as one datagram and return whether the manager took it; never waits long.

        The socket is made anew for each datagram: a manager that was replaced listens on another one.
        """
        with anyio.move_on_after(_PATIENCE), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            try:
                manager.connect(self.address)
                await _send(manager, "\n".join(lines).encode("utf-8", "backslashreplace"))
            except OSError:
                return False  # there is nobody else to complain to; it is told the next time
            return True
        return False


async def _send(connected: socket.socket, datagram: bytes) -> None:
    while True:
        try:
            connected.send(datagram)
        except BlockingIOError:  # a receiver's queue is full, which only a connected socket can wait for
            await anyio.wait_writable(connected)
        else:
            return


def take_manager(environment: MutableMapping[str, str], pid: int) -> ServiceManager | None:
    """Return the manager that *environment* names for the process *pid*; None when nobody wants to be told.

    The variables are taken out, because children would inherit them: rclone, for one, reports itself ready.
    """
    address, every, watched = (environment.pop(name, "") for name in _VARIABLES)
    if not address.startswith(("/", "@")):
        return None
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # Linux's abstract namespace
    patience = int(every) / 1e6 if every.isdecimal() else 0.0
    if not patience or watched not in {"", str(pid)}:
        return ServiceManager(address)
    return ServiceManager(address, patience / 2)


@asynccontextmanager
async def keep_service_informed(now: Callable[[], Now], say: Callable[[Now], str]) -> AsyncIterator[None]:
    """Tell the manager of this process about the run in the block: how it stands, by *now* put into words by *say*.

    READY is told when preflight is over, so that `systemctl start` fails when the run cannot even begin. The sign of
    life comes from the event loop of the run itself: a loop that is blocked gives none.
    """
    manager = take_manager(os.environ, os.getpid())
    if manager is None:
        yield
        return
    news = _News(now, say)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_inform, news, manager)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(_PATIENCE, shield=True):
            await manager.tell(*news.last())


@dataclass(slots=True)
class _News:
    """What the manager has not been told yet."""

    now: Callable[[], Now]
    say: Callable[[Now], str]
    ready: bool = False
    status: str = ""

    def lines(self) -> list[str]:
        """Return what is new, and the wish for more time."""
        now = self.now()
        lines = self._ready(now.stage not in _BEFORE | _CLEAN_UP) + self._status(now)
        # Plex may need long to stop, and an export long to be written.
        if now.stage in _CLEAN_UP or now.stage in _BEFORE:
            lines.append(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
        return lines

    def last(self) -> list[str]:
        """Return the farewell. A run that was too short to be seen under way was a good one all the same."""
        now = self.now()
        return [*self._ready(now.exit_code == 0), *self._status(now), "STOPPING=1"]

    def heard(self, lines: list[str]) -> None:
        """Remember that the manager took *lines*."""
        self.ready = self.ready or READY in lines
        self.status = next((line for line in lines if line.startswith("STATUS=")), self.status)

    def _ready(self, is_ready: bool) -> list[str]:
        return [READY] if is_ready and not self.ready else []

    def _status(self, now: Now) -> list[str]:
        line = f"STATUS={self.say(now)}"
        return [line] if line != self.status else []


async def _inform(news: _News, manager: ServiceManager) -> Never:
    every = manager.alive_every
    tick = TICK if every is None else every / math.ceil(every / TICK)
    due = anyio.current_time()
    while True:
        lines = news.lines()
        if every is not None and anyio.current_time() >= due - tick / 2:
            due = anyio.current_time() + every
            lines.append("WATCHDOG=1")
        if lines and await manager.tell(*lines):
            news.heard(lines)
        await anyio.sleep(tick)
