"""Notices what becomes of the server's container: its end, its faults, what it prints and what it uses."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.docker.answers import ContainerState
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.decisions.container_log import OUT_OF_MEMORY, Fatal, LogReader, Noticed
from plexsuper.errors import ServerError
from plexsuper.events import (
    ContainerExited,
    ContainerLogNoticed,
    ContainerMeasured,
    ContainerStarted,
    EngineLost,
    EngineRestored,
    PlexFaultSeen,
)
from plexsuper.redact import redact

_FIRST: Final = 0.25
_LONGEST: Final = 5.0
_LOG_LINES: Final = 20
_LONGEST_LINE: Final = 500
_REPEAT_EVERY: Final = 60.0
"""A line of the same kind is told so often at most (s): a dead mount fills a log with thousands of them."""


async def watch_container(publish: Publish, *, container: DockerRuntime, every: float) -> Never:
    """Publish what becomes of *container*; it may be started, end, and be started again as often as it likes.

    What the engine says and the end of the container's first process are only reasons to look; what is published is
    what was seen then, so that nothing is lost while the engine is away. *every* is the time (s) between two looks
    without any reason, and between two measurements that are told.
    """
    watch = _Watch(publish, container, every)
    async with anyio.create_task_group() as tasks:
        for sense in (watch.engine, watch.first_process, watch.log, watch.measure, watch.from_time_to_time):
            tasks.start_soon(sense)
        await anyio.sleep_forever()
    raise AssertionError("unreachable: the senses never end")


class _Watch:
    def __init__(self, publish: Publish, container: DockerRuntime, every: float) -> None:
        self._publish = publish
        self._container = container
        self._every = every
        self._running: int | None = None
        self._changed = anyio.Event()
        self._kills = 0
        self._away_since: float | None = None

    async def engine(self) -> None:
        """Listen to the engine; a new session begins with a look, because events of the meantime are lost."""
        delay = _FIRST
        while True:
            try:
                async with self._container.happenings() as happenings:
                    await self._look()
                    self._back()
                    delay = _FIRST
                    async for action in happenings:
                        await self._look(oom=action == "oom")
            except ServerError as error:
                self._lost(str(error))
            await anyio.sleep(delay)
            delay = min(2 * delay, _LONGEST)

    async def first_process(self) -> None:
        """Wait for the end of the container's first process: milliseconds before the engine tells."""
        while True:
            pid, changed = self._running, self._changed
            if pid is None or not self._container.visible:
                await changed.wait()
                continue
            await self._container.exited(pid)
            await self._look_until(partial(self._has_gone, pid))

    def _has_gone(self, pid: int) -> bool:
        return self._running != pid

    async def from_time_to_time(self) -> None:
        """Look without a reason."""
        while True:
            await anyio.sleep(self._every)
            await self._look()
            if self._running is not None and not self._container.visible:
                with _ending_is_noticed_elsewhere():
                    await self._container.look_at_top()

    async def log(self) -> None:
        """Read what each life of the container prints, from its first line on."""
        life, reader, told = None, LogReader(), dict[str, float]()
        while True:
            await self._until_running()
            if life != self._running:  # after a cut of the stream the same life goes on
                life, reader, told = self._running, LogReader(), {}
            with _ending_is_noticed_elsewhere():
                async for line in self._container.follow_log():
                    self._tell(reader.read(redact(line.text), line.at), line.at, told)
            await anyio.sleep(_FIRST)

    def _tell(self, findings: Iterable[Noticed | Fatal], at: float, told: dict[str, float]) -> None:
        for found in findings:
            if isinstance(found, Fatal):
                self._publish(PlexFaultSeen(fault=found.fault, detail=found.detail))
            elif at - told.get(found.kind, at - _REPEAT_EVERY) >= _REPEAT_EVERY:
                told[found.kind] = at
                self._publish(ContainerLogNoticed(kind=found.kind, line=found.line[:_LONGEST_LINE]))

    async def measure(self) -> None:
        """Tell what the container uses."""
        told = -self._every
        while True:
            await self._until_running()
            with _ending_is_noticed_elsewhere():
                async for use in self._container.measurements():
                    if anyio.current_time() - told >= self._every:
                        told = anyio.current_time()
                        self._publish(
                            ContainerMeasured(
                                name=self._container.name, cpus=use.cpus, memory=use.memory, limit=use.limit
                            )
                        )
            await anyio.sleep(_FIRST)

    async def _until_running(self) -> None:
        while self._running is None:
            await self._changed.wait()

    async def _look_until(self, seen: Callable[[], bool]) -> None:
        """Look until the engine has noticed as well what we know already."""
        delay = 0.005
        while not seen():
            await self._look()
            await anyio.sleep(delay)
            delay = min(2 * delay, 0.5)

    async def _look(self, *, oom: bool = False) -> None:
        log = self._container.log_tail(_LOG_LINES)
        try:
            state = await self._container.look()
        except ServerError as error:
            self._lost(str(error))
            return
        pid = state.pid if state is not None and state.running else None
        self._judge_memory(state, told=oom)
        if pid == self._running:
            return
        if self._running is not None:
            code = None if state is None else state.exit_code
            self._publish(
                ContainerExited(
                    name=self._container.name, exit_code=code, oom=bool(state and state.oom), log=log
                )
            )
        if state is not None and pid is not None and not self._container.adopted:
            self._publish(ContainerStarted(name=state.name, id=state.id, image=state.image, pid=pid))
        self._running = pid
        self._kills = 0
        self._changed.set()
        self._changed = anyio.Event()

    def _judge_memory(self, state: ContainerState | None, *, told: bool) -> None:
        """The kernel may have killed the server alone: its supervisor starts it again, and nobody sees an end."""
        if self._running is None or state is None:
            return
        kills = self._container.oom_kills() if state.running else None
        killed = kills > self._kills if kills is not None else told or state.oom
        self._kills = kills or 0
        if killed:
            self._publish(PlexFaultSeen(fault="out_of_memory", detail=OUT_OF_MEMORY))

    def _lost(self, detail: str) -> None:
        if self._away_since is None:
            self._away_since = anyio.current_time()
            self._publish(EngineLost(detail=detail))

    def _back(self) -> None:
        """Only a new session says that: an engine that is being stopped still answers on old connections."""
        if self._away_since is not None:
            self._publish(EngineRestored(after=anyio.current_time() - self._away_since))
            self._away_since = None


@contextmanager
def _ending_is_noticed_elsewhere() -> Iterator[None]:
    """A stream ends when the container or the engine does; both are noticed by those who look."""
    with suppress(ServerError):
        yield
