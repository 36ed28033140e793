"""One container as the engine knows it: make it, start it, ask about it, read from it, end it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiodocker import Docker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError
from pydantic import SecretStr

from plexsuper.clients.docker.answers import (
    ContainerState,
    LogLine,
    Measured,
    archive_of,
    hint_for,
    measured_from,
    scanners_of,
    state_from,
)
from plexsuper.clients.docker.engine import ANSWERS, WORKS, explained
from plexsuper.clients.docker.spec import CLAIM_FILE, OURS, OWNER, ContainerSpec, differences
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.terms import Scanner

_NOT_FOUND: Final = 404


class Container:
    """The container that *spec* describes, on the engine of *docker*; every method raises as `explained` says."""

    def __init__(self, docker: Docker, spec: ContainerSpec) -> None:
        self._docker = docker
        self.spec = spec

    @property
    def _handle(self) -> DockerContainer:
        return self._docker.containers.container(self.spec.name)

    async def state(self) -> ContainerState | None:
        """Return what it is now; None when there is no container of this name."""
        with explained(f"looking for the container {self.spec.name}"):
            try:
                shown = await self._handle.show()
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    return None
                raise
        return state_from(shown)

    async def fit(self) -> ContainerState | None:
        """Return the container if it runs and is what the settings mean; None when it may be made.

        Raises:
            ServerRefused: a container of this name is not ours, or runs with other settings, or another container
                uses this server's directory; nothing is done to it.
        """
        found = await self.state()
        if found is not None:
            self._refuse_strange(found)
        await self._refuse_neighbour(found)
        return found if found is not None and found.running else None

    def _refuse_strange(self, found: ContainerState) -> None:
        name = self.spec.name
        if found.labels.get(OWNER) != OURS:
            raise ServerRefused(
                f"there is a container called {name} that plexsuper did not make: it is left alone. Set "
                f"plex.docker.container to another name, or remove it (docker rm {name})"
            )
        if found.running and (changed := differences(found.labels, self.spec)):
            raise ServerRefused(
                f"the container {name} runs with other settings ({'; '.join(changed)}): it is left alone. Stop it "
                f"(docker stop {name}) so that it can be made anew, or take the settings back"
            )
        if found.paused:
            raise ServerRefused(f"the container {name} is paused: docker unpause {name}")

    async def _refuse_neighbour(self, ours: ContainerState | None) -> None:
        """Two servers on one library would destroy it."""
        with explained("listing the containers that run"):
            running = await self._docker.containers.list()
        for other in running:
            mounts = other["Mounts"] or []
            names = ", ".join(name.removeprefix("/") for name in other["Names"])
            uses = any(
                (mount.get("Destination"), mount.get("Source")) == ("/config", self.spec.config_dir)
                for mount in mounts
            )
            if uses and (ours is None or other.id != ours.id):
                raise ServerRefused(
                    f"the container {names} already uses {self.spec.config_dir}: two servers on one library would "
                    f"destroy it. Stop it first (docker stop {names})"
                )

    async def create(self, claim: SecretStr | None) -> None:
        """Make the container anew; one of ours that has ended is replaced. It does not run yet."""
        name = self.spec.name
        with explained(f"making the container {name}", within=WORKS):
            if await self.state() is not None:
                await self._handle.delete(v=True)
            await self._docker.containers.create(self.spec.creation(claim=claim is not None), name=name)
            if claim is not None:
                await self._handle.put_archive(  # type: ignore[no-untyped-call]  # aiodocker says nothing about it
                    "/", archive_of(CLAIM_FILE, claim.get_secret_value())
                )

    async def start(self) -> ContainerState:
        """Start it; raise `ServerRefused` with the engine's reason when it cannot be started."""
        name = self.spec.name
        try:
            with explained(f"starting the container {name}", within=WORKS):
                await self._handle.start()
        except ServerRefused as error:
            raise ServerRefused(f"{error}{hint_for(str(error))}") from error
        state = await self.state()
        if state is None:
            raise ServerAway(f"the container {name} was removed while it was started")
        return state

    async def stop(self, patience: float) -> None:
        """Ask it to end, and kill it after *patience* seconds."""
        with explained(f"stopping the container {self.spec.name}", within=patience + ANSWERS):
            await self._handle.stop(t=max(1, int(patience)))

    async def remove(self) -> None:
        """Remove it, also if it runs; nothing happens when there is none. Refuses what is not ours."""
        found = await self.state()
        if found is not None:
            if found.labels.get(OWNER) != OURS:
                self._refuse_strange(found)
            with explained(f"removing the container {self.spec.name}", within=WORKS):
                await self._handle.delete(force=True, v=True)

    async def exec(self, argv: Sequence[str], *, user: str = "root") -> tuple[int, str]:
        """Run a command in it; return its exit code and all it said."""
        with explained(f"running {argv[0]} in the container {self.spec.name}", within=None):
            command = await self._handle.exec(list(argv), user=user)
            said = []
            async with command.start() as stream:
                while (message := await stream.read_out()) is not None:
                    said.append(message.data)
            code = (await command.inspect())["ExitCode"]
        return code if code is not None else -1, b"".join(said).decode("utf-8", "replace")

    async def read_file(self, path: str) -> bytes:
        """Return what is in a file of it, whether it runs or not; raise `ServerAway` when there is none."""
        with explained(f"reading {path} in the container {self.spec.name}"):
            try:
                archive = await self._handle.get_archive(path)
            except DockerError as error:
                if error.status == _NOT_FOUND:
                    raise ServerAway(f"there is no {path} in the container yet") from error
                raise
        with archive:
            member = next((member for member in archive.getmembers() if member.isfile()), None)
            file = None if member is None else archive.extractfile(member)
            if file is None:
                raise ServerAway(f"{path} in the container is no file")
            return file.read()

    async def log(self, lines: int | None = None) -> tuple[LogLine, ...]:
        """Return the last *lines* lines that it has printed, or all of them."""
        tail = "all" if lines is None else str(lines)
        with explained(f"reading the log of the container {self.spec.name}", within=WORKS):
            parts = await self._handle.log(stdout=True, stderr=True, tail=tail, timestamps=True)
        return tuple(LogLine.parse(line) for line in "".join(parts).splitlines())

    async def follow_log(self, since: str = "") -> AsyncIterator[LogLine]:
        """Give every line it prints after the stamp *since*; ends when the container ends."""
        rest = ""
        with explained(f"following the log of the container {self.spec.name}", within=None):
            stream = self._handle.log(stdout=True, stderr=True, follow=True, timestamps=True)
            async for part in stream:
                *lines, rest = (rest + part).split("\n")
                for line in lines:
                    if (stamped := LogLine.parse(line)).stamp > since:
                        yield stamped

    async def measurements(self) -> AsyncIterator[Measured]:
        """Give what it uses, about once a second, until it ends."""
        with explained(f"measuring the container {self.spec.name}", within=None):
            async for sample in self._handle.stats():
                if (measured := measured_from(sample)) is not None:
                    yield measured

    async def top(self) -> tuple[Scanner, ...]:
        """Return the scanner processes by the engine's own list, where this host cannot see them."""
        with explained(f"listing the processes of the container {self.spec.name}"):
            async with self._docker._query(  # aiodocker has no method for `top`
                f"containers/{self.spec.name}/top", params={"ps_args": "-eo pid,args"}
            ) as response:
                listed: dict[str, Any] = await response.json()
        return scanners_of(listed["Processes"])
