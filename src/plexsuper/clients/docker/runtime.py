"""A Plex server in a container: the same verbs as for a process of this host, and the container's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import anyio
from aiodocker import Docker
from pydantic import SecretStr

from plexsuper.clients.docker.answers import ContainerState, LogLine, Measured
from plexsuper.clients.docker.container import Container
from plexsuper.clients.docker.frost import Frost
from plexsuper.clients.docker.happenings import container_happenings
from plexsuper.clients.docker.log import ContainerLog
from plexsuper.clients.docker.processes import ContainerProcesses
from plexsuper.clients.docker.service import stop_service
from plexsuper.clients.docker.spec import ContainerSpec
from plexsuper.clients.processes.table import bytes_read, cpu_time, exited
from plexsuper.clients.server.frozen import FrozenRecord, record_file
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.redact import redact
from plexsuper.terms import Scanner

PREFERENCES: Final = "/config/Library/Application Support/Plex Media Server/Preferences.xml"

_LEAST_STOP: Final = 10.0
_KILLED_WITHIN: Final = 15.0
_LOOK_EVERY: Final = 1.0


async def no_claim() -> SecretStr | None:
    """Give none."""
    return None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A container that was taken over, and the processes in it that an earlier supervisor has left frozen."""

    state: ContainerState
    frozen: tuple[int, ...]


class DockerRuntime:
    """The server in the container of *spec*.

    Args:
        docker: A client of the engine, open for as long as this is used.
        engine: The engine's address, for further clients; None: where it usually is.
        spec: The container.
        state_dir: Where it is noted that the container is frozen, in case we die.
        claim: Gives the claim for a container that is made, None for no claim; asked each time.
    """

    def __init__(
        self,
        docker: Docker,
        spec: ContainerSpec,
        *,
        state_dir: Path,
        engine: str | None = None,
        claim: Callable[[], Awaitable[SecretStr | None]] = no_claim,
    ) -> None:
        self.container = Container(docker, spec)
        self._log = ContainerLog(self.container)
        self._claim = claim
        self._engine = engine
        self._record = FrozenRecord(record_file(state_dir, spec.name))
        self._top: tuple[Scanner, ...] = ()
        self._hold(None)
        self._old_kills = 0
        self.adopted = False
        """Whether the container that runs was started by an earlier run."""

    @property
    def name(self) -> str:
        """The container's name."""
        return self.container.spec.name

    # --- coming and going ----------------------------------------------------------------------------

    async def adopt(self) -> Adopted | None:
        """Take over the container if it runs and is what the settings mean; None when it has to be started.

        One that a supervisor had frozen before it died stays so (see `take_over`). Raises what `Container.fit` raises.
        """
        found = await self.container.fit()
        if found is None:
            self._hold(None)
            return None
        self._hold(found)
        self.adopted = True
        left, _ = self.take_over()
        self._old_kills = self._processes.oom_kills() or 0
        await self._log.adopt()
        return Adopted(found, left)

    async def look(self) -> ContainerState | None:
        """Look at the container again; whoever was told that something happened to it calls this."""
        state = await self.container.state()
        if state is not None and state.running:
            if state.pid != self._processes.init:
                self._hold(state)
        else:
            self._hold(None)
        self._state = state
        return state

    async def start(self) -> int:
        """See `Runtime.start`. The container is made anew; one that runs is refused."""
        if await self.adopt() is not None:
            raise ServerRefused(f"the container {self.name} runs already")
        self._log.begin()
        self._old_kills, self.adopted = 0, False
        await self.container.create(await self._claim() if self.container.spec.claims_itself else None)
        state = await self.container.start()
        if not state.running:
            said = "\n".join(line.text for line in await self.container.log(20))
            raise ServerRefused(
                f"the container {state.name} ended at once with exit code {state.exit_code}:\n{redact(said)}"
            )
        self._hold(state)
        return state.pid

    async def stop(self, patience: float) -> int | None:
        """See `Runtime.stop`: the server first, so that it can write its database out, then the container.

        Raises:
            ServerAway: processes do not end, not even by SIGKILL: something is stuck in a dead mount.
        """
        name = self.name
        state = await self.look()
        if state is None or not state.running:
            return None if state is None else state.exit_code
        if self._frost.frozen:
            self.thaw(self._frost.frozen)
        with anyio.move_on_after(patience):
            if refused := await stop_service(self.container, self._processes.server()):
                self._log.add(refused)
        try:
            with anyio.fail_after(_LEAST_STOP + _KILLED_WITHIN):
                await self.container.stop(_LEAST_STOP)
                state = await self.look()
        except (TimeoutError, ServerRefused) as error:
            raise ServerAway(
                f"the container {name} does not end (a process that is stuck in a dead mount cannot be killed): end "
                f"the mount's own process or abort its connection, then docker stop {name}. {error}"
            ) from error
        if state is not None and state.running:
            raise ServerAway(
                f"the container {name} still runs after it was stopped; look at docker logs {name}"
            )
        return None if state is None else state.exit_code

    # --- what runs -----------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """See `Runtime.pid`; the container's first process while the server itself is not there."""
        if self._state is None or not self._state.running or (self._local and not self.visible):
            return None
        return self._processes.server() or self._state.pid

    @property
    def owned(self) -> bool:
        """See `Runtime.owned`: also a container that an earlier run of ours has started."""
        return self.pid is not None

    @property
    def visible(self) -> bool:
        """Whether the container's processes are processes of this host."""
        return self._processes.visible

    @property
    def state(self) -> ContainerState | None:
        """What the container was when it was looked at last."""
        return self._state

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel has killed for want of memory since we have the container, None: not known."""
        kills = self._processes.oom_kills()
        return None if kills is None else kills - self._old_kills

    def happenings(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """See `container_happenings`."""
        return container_happenings(self._engine, self.name)

    def scanners(self) -> tuple[Scanner, ...]:
        """See `Runtime.scanners`; of an engine elsewhere, those that `look_at_top` has seen last."""
        return self._processes.scanners() if self.visible else self._top

    async def look_at_top(self) -> None:
        """Ask the engine for the scanners, where this host cannot see them."""
        if self._state is not None and self._state.running and not self.visible:
            self._top = await self.container.top()

    async def exited(self, pid: int) -> None:
        """See `Runtime.exited`."""
        if self.visible or not self.owned:
            await exited(pid)
            return
        while any(scanner.pid == pid for scanner in self._top):  # noqa: ASYNC110 - whoever looks at top is a task of its own
            await anyio.sleep(_LOOK_EVERY)

    def cpu_time(self, pid: int) -> float | None:
        """See `Runtime.cpu_time`; the processes of an engine elsewhere have numbers that mean others here."""
        return cpu_time(pid) if self.visible else None

    def bytes_read(self, pid: int) -> int | None:
        """See `Runtime.bytes_read`, and `cpu_time`."""
        return bytes_read(pid) if self.visible else None

    def freeze(self) -> tuple[int, ...]:
        """See `Runtime.freeze`; raise `ServerRefused` when this host does not see the container's processes."""
        if self.owned and not self.visible:
            raise ServerRefused(
                f"the processes of the container {self.name} cannot be seen here, so Plex cannot be "
                "frozen: run plexsuper on the engine's host, in a container with `pid: host`"
            )
        return self._frost.freeze()

    def take_over(self) -> tuple[tuple[int, ...], float]:
        """See `Runtime.take_over`; of the container that was adopted."""
        if not self.visible:
            return (), 0.0  # nothing is adopted yet, or nothing that could have been frozen from here
        left = self._frost.take_over()
        if not left:
            self._record.clear()
            return (), 0.0
        self.end_scanners()
        return left, self._record.age

    def thaw(self, pids: Sequence[int]) -> None:
        """See `Runtime.thaw`."""
        self._frost.thaw(pids)

    def end_scanners(self) -> int:
        """See `Runtime.end_scanners`; of an engine elsewhere, none can be."""
        return self._processes.end_scanners() if self.visible else 0

    def inside(self, path: str) -> str:
        """Return the name by which this host reaches *path* as the container sees it, mounts included (lesson L43)."""
        return f"/proc/{self._processes.init}/root{path}" if self.visible else path

    # --- what it says --------------------------------------------------------------------------------

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """See `Runtime.log_tail`; as far as the log has been followed."""
        return self._log.tail(lines)

    def follow_log(self) -> AsyncIterator[LogLine]:
        """See `ContainerLog.follow`."""
        return self._log.follow()

    def measurements(self) -> AsyncIterator[Measured]:
        """See `Container.measurements`."""
        return self.container.measurements()

    async def preferences_xml(self) -> dict[str, str]:
        """See `Runtime.preferences_xml`; the file is read through the engine, whoever owns it."""
        try:
            text = await self.container.read_file(PREFERENCES)
            return dict(ET.fromstring(text).attrib)  # noqa: S314 - Plex's own file; expat limits expansion
        except ET.ParseError as error:
            raise ServerAway(f"Preferences.xml in the container is not complete: {error}") from error

    def _hold(self, state: ContainerState | None) -> None:
        """Turn to the container in this *state*; None: to none."""
        self._state = state
        identity = ("-", 0) if state is None else (state.id, state.pid)
        self._processes: ContainerProcesses = ContainerProcesses(*identity)
        self._local = self._processes.visible
        self._frost = Frost(self._processes, self._record)
        if state is None:
            self._top = ()
