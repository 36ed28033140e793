"""Where the server runs: the seam behind which a process on this host and, later, a container look the same."""

from collections.abc import Sequence
from typing import Protocol

from plexsuper.terms import Scanner


class Runtime(Protocol):
    """The place where one Plex server runs."""

    @property
    def pid(self) -> int | None:
        """The server's process, None while none runs."""
        ...

    @property
    def owned(self) -> bool:
        """Whether the server that runs was started by `start`; another's server is left running."""
        ...

    async def start(self) -> int:
        """Start the server and return its pid; raise `ServerRefused` when it cannot be started."""
        ...

    async def stop(self, patience: float) -> int | None:
        """Stop the server and what it left; hard after *patience* s. Return its exit code if it is ours."""
        ...

    def scanners(self) -> tuple[Scanner, ...]:
        """Return the server's scanner processes that run now."""
        ...

    async def exited(self, pid: int) -> None:
        """Return when *pid* has ended."""
        ...

    def cpu_time(self, pid: int) -> float | None:
        """Return the processor time in seconds that *pid* has used; None when it has ended, or this host does not see it."""
        ...

    def bytes_read(self, pid: int) -> int | None:
        """Return how many bytes *pid* has read; None when it has ended, or this host does not see it or is not told."""
        ...

    def inside(self, path: str) -> str:
        """Return the name by which this host reaches what the server calls *path*."""
        ...

    def freeze(self) -> tuple[int, ...]:
        """Stop every process of the server where it is; return them for `thaw`."""
        ...

    def take_over(self) -> tuple[tuple[int, ...], float]:
        """Take over what a supervisor that died has left frozen, for `thaw`; return it and for how long it has stood still.

        Its scanners are ended: thawed, they would go on with what they have not found. It stays frozen.
        """
        ...

    def thaw(self, pids: Sequence[int]) -> None:
        """Let frozen processes go on."""
        ...

    def end_scanners(self) -> int:
        """Kill the server's scanner processes, frozen or not; return how many. The server itself survives that."""
        ...

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """Return the last lines the server wrote, without secrets."""
        ...

    async def preferences_xml(self) -> dict[str, str]:
        """Return the attributes of the server's Preferences.xml; raise `ServerAway` when it is not there."""
        ...
