"""The senses of one generation of a mount: each asks one thing in its own time, for ever."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, Never, Protocol

import anyio

from plexsuper.clients.mounts.changes import MountTable
from plexsuper.clients.mounts.generation import Generation
from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, ControlAway
from plexsuper.clients.rclone.process import state_of
from plexsuper.clients.storage.mount import Storage
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.clients.storage.proof import open_probe
from plexsuper.decisions.health import Failure, Proof
from plexsuper.decisions.storage_signals import (
    Answered,
    BackendSilence,
    CanaryFound,
    ContentBad,
    ContentLate,
    ContentRead,
    Disconnected,
    Glanced,
    ProcessEnded,
    RangeBroken,
    Signal,
    Trouble,
    TroubleSeen,
    Unanswered,
    Unmounted,
)
from plexsuper.errors import StorageError

_LONG: Final = 180.0
"""A question to the backend is given up only now: a late answer tells how slow it is, and a new one costs anew."""

_CONFIRM: Final = 0.5
_LOOK: Final = 1.0
_ANSWER: Final = 0.5
_SHARE: Final = 20
"""Connections that break are trouble when they are at least one in so many."""

_FEW: Final = 3

_AGAIN: Final = 0.1
_NOT_EVERY: Final = 5.0


class Intervals(Protocol):
    """How often each sense asks, in seconds."""

    @property
    def glance(self) -> float: ...  # noqa: D102
    @property
    def answer(self) -> float: ...  # noqa: D102
    @property
    def canary(self) -> float: ...  # noqa: D102
    @property
    def content(self) -> float: ...  # noqa: D102
    @property
    def block(self) -> float: ...  # noqa: D102
    @property
    def log(self) -> float: ...  # noqa: D102
    @property
    def counters(self) -> float: ...  # noqa: D102


class Senses:
    """What can be noticed of *generation* of *storage*; *feed* hears it."""

    def __init__(
        self, storage: Storage, generation: Generation, every: Intervals, feed: Callable[[Signal], None]
    ) -> None:
        self._storage = storage
        self._generation = generation
        self._every = every
        self._feed = feed
        self._doubt = anyio.Event()

    def all(self) -> tuple[Callable[[], Coroutine[Any, Any, Never]], ...]:
        """Return every sense; each runs until it is cancelled."""
        return (
            self._process,
            self._table,
            self._glance,
            self._answer,
            self._content,
            self._canary,
            self._blocks,
            self._log,
            self._counters,
        )

    async def _process(self) -> Never:
        """The kernel tells of its end within milliseconds."""
        code = await self._generation.process.wait()
        self._feed(ProcessEnded(code))
        await anyio.sleep_forever()
        raise AssertionError

    async def _table(self) -> Never:
        """The kernel tells of every mount and unmount on this host within a millisecond."""
        with MountTable() as table:
            while True:
                if self._storage.current is self._generation and not self._storage.shown:
                    attached = self._storage.generations.attached()
                    what = f"{attached[-1].kind} is mounted there" if attached else "nothing is mounted there"
                    self._feed(Unmounted(f"{self._storage.point}: {what}"))
                await table.changed()

    async def _glance(self) -> Never:
        """Two reads of the kernel's own files: they show a stopped process, and never hang."""
        while True:
            state = state_of(self._generation.process.pid)
            self._feed(Glanced(state, self._generation.connection.waiting()))
            await anyio.sleep(self._every.glance)

    async def _answer(self) -> Never:
        """Ask for a name that is not there: rclone answers that from its listing, without its backend."""
        async with open_probe(self._storage.point) as probe:
            while True:
                began = anyio.current_time()
                await self._ask_name(probe, began)
                await anyio.sleep(self._every.answer)

    async def _ask_name(self, probe: ContentProbe, began: float) -> None:
        """Wait as long as it takes; a second question would only wait behind the first."""
        answer: tuple[bool, ...] | Failure | None = None

        async def ask() -> None:
            nonlocal answer
            answer = await _exists(probe, self._storage.nonce)
            waiting.cancel_scope.cancel()

        async with anyio.create_task_group() as waiting:
            waiting.start_soon(ask)
            while True:
                await anyio.sleep(_ANSWER)
                self._feed(Unanswered(anyio.current_time() - began))
        if isinstance(answer, Failure):
            self._feed(_of_failure(answer, anyio.current_time() - began))
        else:
            self._feed(Answered(anyio.current_time() - began))

    async def _content(self) -> Never:
        """Read files as Plex would; what lies in a cache is read from there, so this alone proves no backend."""
        async with open_probe(self._storage.point) as probe:
            began = anyio.current_time()
            while True:
                seen = await _look(probe)
                waited = anyio.current_time() - began
                self._feed(_of_failure(seen, waited) if isinstance(seen, Failure) else _of_proof(seen))
                late = isinstance(seen, Failure) and seen.reason == "hung"
                if late and waited > _NOT_EVERY:
                    self._doubt.set()
                if late:
                    await anyio.sleep(_AGAIN)
                    continue
                await anyio.sleep(_CONFIRM if isinstance(seen, Failure) else self._every.content)
                began = anyio.current_time()

    async def _canary(self) -> Never:
        """Ask the backend itself, past every cache."""
        while True:
            began = anyio.current_time()
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(self._tell_silence, began)
                said = await self._storage.canaries.ask(self._generation.control, _LONG)
                waiting.cancel_scope.cancel()
            self._feed(said)
            good = isinstance(said, CanaryFound)
            await anyio.sleep(self._every.canary if good else _CONFIRM)

    async def _tell_silence(self, began: float) -> Never:
        while True:
            await anyio.sleep(_LOOK)
            self._feed(BackendSilence(anyio.current_time() - began))

    async def _blocks(self) -> Never:
        """Read a piece of a file from the backend: seldom, or when reading through the mount takes long."""
        while True:
            with anyio.move_on_after(self._every.block):
                await self._doubt.wait()
            self._doubt = anyio.Event()
            seen = await self._storage.canaries.read_block(self._generation.control, _LONG)
            if seen is not None:
                self._feed(seen)
            if isinstance(seen, RangeBroken):
                self._doubt.set()
            await anyio.sleep(_LOOK)

    async def _log(self) -> Never:
        """Read what rclone says; for lost networks it is late by minutes, for the rest it is at once."""
        while True:
            seen: dict[Trouble, TroubleSeen] = {}
            for line in self._generation.log.read():
                if line.trouble is not None:
                    before = seen.get(line.trouble)
                    count = 1 if before is None else before.count + 1
                    seen[line.trouble] = TroubleSeen(line.trouble, count, line.text)
            for trouble in seen.values():
                self._feed(trouble)
            await anyio.sleep(self._every.log)

    async def _counters(self) -> Never:
        """Count the backend's answers: refusals for being too fast, and questions that broke off."""
        before: dict[int, int] | None = None
        while True:
            try:
                counted = await self._generation.control.http_statuses(_NOT_EVERY)
            except (BackendSilent, BackendRefused, ControlAway):
                counted = None  # other senses tell what that means
            if counted is not None:
                if before is not None:
                    self._tell_counts(counted, before)
                before = counted
            await anyio.sleep(self._every.counters)

    def _tell_counts(self, counted: dict[int, int], before: dict[int, int]) -> None:
        def more(*codes: int) -> int:
            return sum(counted.get(code, 0) - before.get(code, 0) for code in codes)

        if throttled := more(429, 503):
            self._feed(TroubleSeen("throttled", throttled, f"HTTP 429 or 503, {throttled} times"))
        # Files that are closed before an answer came are counted as broken too: those are few among many.
        broken, all_of_them = more(0), more(*counted)
        if broken >= _FEW and broken * _SHARE >= all_of_them:
            self._feed(TroubleSeen("reset", broken, f"{broken} requests broke off"))


async def _exists(probe: ContentProbe, name: str) -> tuple[bool, ...] | Failure:
    try:
        return await probe.exists([name], _LONG)
    except StorageError as error:
        return Failure(reason="unreadable", detail=str(error))


async def _look(probe: ContentProbe) -> Proof | Failure:
    try:
        return await probe.look(_LOOK)
    except StorageError as error:
        return Failure(reason="unreadable", detail=str(error))


def _of_proof(proof: Proof) -> ContentRead:
    return ContentRead(proof.entries, proof.latency)


def _of_failure(failure: Failure, waited: float) -> Signal:
    match failure.reason:
        case "hung":
            return ContentLate(waited)
        case "dead":
            return Disconnected(failure.detail)
        case "missing" | "empty" | "wrong_content" | "unreadable":
            return ContentBad(failure.reason, failure.detail)
        case _:
            return ContentBad("unreadable", failure.detail)
