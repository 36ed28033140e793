"""Follows the record of a run that goes on: its journal, or a file that its events are appended to."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio import to_thread

from plexsuper.bus import Bus, Subscription
from plexsuper.cli.recordings import event_in, why_none
from plexsuper.cli.runs import find_run
from plexsuper.errors import ExitCode, SettingsError
from plexsuper.events import RunFinished
from plexsuper.faces.face import Outlet
from plexsuper.journal import read_on, runs
from plexsuper.replay import Replay, in_order, last_run
from plexsuper.stream import Envelope

EVERY: Final = 0.5
"""Seconds between two looks at the record."""

_AT_ONCE: Final = 500
"""Envelopes that are shown before it is asked whether the reader has taken them."""

_LOOK: Final = 0.01

_LOOKS: Final = 10
"""After so many looks without news it is asked whether the run still goes on."""


class Record(Protocol):
    """What a run leaves behind while it goes on. Its methods block, for milliseconds."""

    def find(self) -> str | None:
        """Return the id of the run to follow; None if there is none yet."""
        ...

    def more(self) -> list[bytes] | list[str]:
        """Return the lines that came since the last call."""
        ...

    def goes_on(self) -> bool:
        """Whether more can come."""
        ...

    @property
    def nothing(self) -> str:
        """What to say when there is no run to follow."""
        ...


class JournalRecord:
    """The journal of the run *wanted* (its id or a part of it) in *state_dir*, else of the one that goes on."""

    def __init__(self, state_dir: Path, wanted: str | None = None) -> None:
        self._state_dir = state_dir
        self._wanted = wanted
        self._before: frozenset[str] | None = None
        self._run = ""
        self._last = -1

    @property
    def nothing(self) -> str:
        """What to say when there is no run to follow."""
        return (
            f"no run goes on in {self._state_dir}; `plexsuper watch --wait` waits for one, "
            "and `plexsuper runs show` tells of the last one"
        )

    def find(self) -> str | None:
        """Return the id of the run to follow; one that is named, or came since the first call, may have ended."""
        if self._wanted is not None:
            self._run = find_run(self._state_dir, self._wanted)
            return self._run
        found = [record for record in runs(self._state_dir) if record.state != "unreadable"]
        if self._before is None:
            self._before = frozenset(record.id for record in found if record.state != "running")
        new = [record.id for record in found if record.state == "running" or record.id not in self._before]
        self._run = new[-1] if new else ""
        return self._run or None

    def more(self) -> list[str]:
        """Return the lines that came since the last call."""
        found = read_on(self._state_dir, self._run, self._last)
        self._last = found[-1][0] if found else self._last
        return [line for _, line in found]

    def goes_on(self) -> bool:
        """Whether the process that writes the journal is there."""
        return any(r.id == self._run and r.state == "running" for r in runs(self._state_dir))


class FileRecord:
    """The file at *path*, to which lines are appended; one that was cut off is read anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._torn = b""
        self._first: list[bytes] = []

    @property
    def nothing(self) -> str:
        """What to say when there is no run to follow."""
        if not self._path.exists():
            return f"there is no file {self._path}; `plexsuper watch --wait` waits for it"
        if self._first:
            return f"{self._path}: {why_none(self._first)}"
        return (
            f"{self._path} holds no event of plexsuper yet; `plexsuper watch --wait` waits for the first one"
        )

    def find(self) -> str | None:
        """Return the id of the run that began last."""
        self._first = in_order(self._first + self._new())
        return last_run(self._first)

    def more(self) -> list[bytes]:
        """Return the lines that came since the last call."""
        first, self._first = self._first, []
        return first + self._new()

    def goes_on(self) -> bool:
        """Nobody can tell who writes to a file."""
        return True

    def _new(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._read:
                    self._read, self._torn = 0, b""
                file.seek(self._read)
                text = self._torn + file.read()
                self._read = file.tell()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be read: {error.strerror}") from error
        *lines, self._torn = text.split(b"\n")
        return [event_in(line) for line in lines if line]


async def follow(record: Record, face: Outlet, *, wait: bool, say: Callable[[str], None]) -> int:
    """Show the run of *record* until it ends and return its exit code, 1 for one that was killed.

    When there is none, *wait* for it, which is told to *say*; else raise `SettingsError`.
    """
    waiting = False
    while (run := await to_thread.run_sync(record.find)) is None:
        if not wait:
            raise SettingsError(record.nothing)
        if not waiting:
            say("Waiting for a run to begin ...")
        waiting = True
        await anyio.sleep(EVERY)
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as envelopes:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(face.show, envelopes)
            code = await _pass_on(record, Replay(run), _Slowly(bus, envelopes, face))
            envelopes.close()
    return code


class _Slowly:
    """Gives envelopes to *face* no faster than its reader takes them."""

    def __init__(self, bus: Bus[Envelope], envelopes: Subscription[Envelope], face: Outlet) -> None:
        self._bus = bus
        self._envelopes = envelopes
        self._face = face
        self._given = 0

    async def give(self, envelope: Envelope) -> None:
        """Show *envelope*, after those before it were taken."""
        self._bus.publish(envelope)
        self._given += 1
        if self._given % _AT_ONCE == 0:
            while self._envelopes.waiting or not self._face.idle():  # noqa: ASYNC110 - the reader sets no event
                await anyio.sleep(_LOOK)


async def _pass_on(record: Record, replay: Replay, outlet: _Slowly) -> int:
    """Give what *record* tells to *outlet* until the run has ended."""
    looks = 0
    while True:
        lines = await to_thread.run_sync(record.more)
        for envelope in replay.envelopes(lines):
            await outlet.give(envelope)
            if isinstance(envelope.event, RunFinished):
                return envelope.event.exit_code
        looks = 0 if lines else looks + 1
        if looks >= _LOOKS:
            looks = 0
            if not await to_thread.run_sync(record.goes_on):
                return await _last_words(record, replay, outlet)
        if not lines:
            await anyio.sleep(EVERY)


async def _last_words(record: Record, replay: Replay, outlet: _Slowly) -> int:
    """Give what was written between the last two looks."""
    code = int(ExitCode.INTERNAL)
    for envelope in replay.envelopes(await to_thread.run_sync(record.more)):
        await outlet.give(envelope)
        if isinstance(envelope.event, RunFinished):
            code = envelope.event.exit_code
    return code
