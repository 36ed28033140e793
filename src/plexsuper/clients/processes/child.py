"""A child process that can never hold its parent: started without a thread, waited for by pidfd, or abandoned."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

import anyio

from plexsuper.clients.processes.table import exited

SECRETS = ("PLEX_TOKEN", "PLEX_CLAIM")


class Child:
    """A child of ours. Unlike `asyncio`'s it is not killed when this object goes, nor waited for at exit."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = False
        self.exit_code: int | None = None
        """The exit code, negative for a signal; None while it runs, or if somebody else collected it."""

    @classmethod
    def spawn(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Self:
        """Start *argv* (found on PATH) in a session of its own; a stream that is None is `/dev/null`.

        Nothing but the three streams is inherited, as far as it was opened by Python. Raises `OSError` when
        the program cannot be executed.
        """
        null = os.open(os.devnull, os.O_RDWR)
        streams = [null if stream is None else stream for stream in (stdin, stdout, stderr)]
        try:
            pid = os.posix_spawnp(
                argv[0],
                list(argv),
                dict(env),
                file_actions=[(os.POSIX_SPAWN_DUP2, stream, number) for number, stream in enumerate(streams)],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM),
            )
        finally:
            os.close(null)
        return cls(pid)

    def poll(self) -> bool:
        """Collect the child if it has ended, and say whether it has."""
        if not self.ended:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # SIGCHLD is ignored in this process, or somebody else was faster
                self.ended = True
            else:
                if pid:
                    self.ended = True
                    self.exit_code = os.waitstatus_to_exitcode(status)
        return self.ended

    async def wait(self) -> int | None:
        """Return the exit code when the child has ended."""
        while not self.poll():
            await exited(self.pid)
        return self.exit_code

    async def wait_for(self, patience: float) -> bool:
        """Wait at most *patience* seconds and say whether the child has ended."""
        with anyio.move_on_after(patience):
            await self.wait()
        return self.ended

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the child has ended (its number may be somebody else's then)."""
        if not self.poll():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def clean_environment() -> dict[str, str]:
    """Return our environment without anything that is secret or meant for plexsuper alone (lesson F05)."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in SECRETS and not name.startswith("PLEXSUPER_")
    }
