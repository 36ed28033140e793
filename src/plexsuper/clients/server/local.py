"""A Plex server that is a process of this host: find, start, freeze and stop it with all that belongs to it."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread

from plexsuper.clients.plex.config_dir import hider, read_preferences, tail
from plexsuper.clients.processes.child import Child, clean_environment
from plexsuper.clients.processes.signals import not_ours, pidfds, send, signal_all
from plexsuper.clients.processes.table import ProcessTable, bytes_read, cpu_time, exited
from plexsuper.clients.server.found import SUPPORT_DIR, LocalServer
from plexsuper.clients.server.frozen import FrozenRecord
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.paths import PlexPaths
from plexsuper.redact import redact
from plexsuper.terms import Scanner

STARTED_FOR = "PLEXSUPER_STARTED_FOR"
"""In the environment of a server that we started: our state directory. It is there from the first moment on, and
goes with the process, so that whoever comes after our death knows the server for ours."""

_POLITE_PATIENCE = 2.0
_KILL_PATIENCE = 5.0  # a process that waits for a dead mount may never die
_SWEEPS = 50


class LocalRuntime:
    """The server that uses *config_dir*, started by *command* when none runs yet.

    Args:
        config_dir: Plex's directory (the one with Preferences.xml, or one above it); None: not known, then any
            server of this host is taken for ours.
        command: The server's argv; empty: it can only be attached to.
        log: Where a server that we start writes its output; None: nowhere.
        frozen: Where it is noted which processes are frozen, in case we die; None: nowhere.
        state_dir: A server that was started for this directory is ours, also if an earlier process of ours started it;
            None: only the one that we start.
    """

    def __init__(
        self,
        *,
        config_dir: Path | None = None,
        command: Sequence[str] = (),
        log: Path | None = None,
        frozen: Path | None = None,
        state_dir: Path | None = None,
    ) -> None:
        self._config_dir = config_dir
        self._command = tuple(command)
        self._log = log
        self._table = ProcessTable()
        self._server = LocalServer(self._table, config_dir)
        self._child: Child | None = None
        self._frozen = False
        self._record = FrozenRecord(frozen)
        self._mark = None if state_dir is None else os.path.abspath(state_dir)  # noqa: PTH100 - asks no disk

    @property
    def pid(self) -> int | None:
        """See `Runtime.pid`."""
        if self._child is not None and not self._child.poll():
            return self._child.pid
        return self._server.pid

    @property
    def owned(self) -> bool:
        """See `Runtime.owned`: also a server that an earlier run of ours has started."""
        if self._child is not None and not self._child.poll():
            return True
        if self._mark is None or (running := self.pid) is None:
            return False
        return self._table.environ(running, STARTED_FOR) == self._mark

    async def start(self) -> int:
        """See `Runtime.start`."""
        if not self._command:
            raise ServerRefused("no Plex server runs here and plex.command is not set: start Plex, or set it")
        if (running := self.pid) is not None:
            raise ServerRefused(
                f"a Plex server already runs here (process {running}): stop it or attach to it"
            )
        try:
            self._child = await anyio.to_thread.run_sync(self._spawn)
        except OSError as error:
            raise ServerRefused(
                f"the server cannot be started: {self._command[0]}: {error.strerror}; check plex.command"
            ) from error
        self._frozen = False
        return self._child.pid

    def _spawn(self) -> Child:
        env = clean_environment()
        if self._config_dir is not None:
            env[SUPPORT_DIR] = str(PlexPaths.found(self._config_dir).root.parent)
        if self._mark is not None:
            env[STARTED_FOR] = self._mark
        with ExitStack() as stack:
            output = None if self._log is None else stack.enter_context(_appending(self._log))
            return Child.spawn(self._command, env=env, stdout=output, stderr=output)

    async def stop(self, patience: float) -> int | None:
        """See `Runtime.stop`. Raise `ServerAway` when even SIGKILL does not end it (stuck in a dead mount)."""
        root, child = self.pid, self._child
        if root is None:
            return None if child is None else child.exit_code
        family = self._table.tree(root)
        with pidfds(family) as descriptors:
            servers = [pid for pid in self._table.servers() if pid in descriptors] or [root]
            signal_all(descriptors, family if self._frozen else servers, signal.SIGTERM)
            signal_all(descriptors, family, signal.SIGCONT)  # a frozen process ends only when it goes on
            self._thawed()
            with anyio.move_on_after(patience):
                await self._ended([root])
            if not await self._end_rest(descriptors, polite=root not in self._left(descriptors)):
                raise ServerAway(
                    f"processes of Plex do not end, not even by SIGKILL (a dead mount?): {self._left(descriptors)}"
                )
        return None if child is None or not child.poll() else child.exit_code

    def scanners(self) -> tuple[Scanner, ...]:
        """See `Runtime.scanners`."""
        return self._server.scanners()

    async def exited(self, pid: int) -> None:
        """See `Runtime.exited`."""
        await exited(pid)

    def cpu_time(self, pid: int) -> float | None:
        """See `Runtime.cpu_time`."""
        return cpu_time(pid)

    def bytes_read(self, pid: int) -> int | None:
        """See `Runtime.bytes_read`."""
        return bytes_read(pid)

    def inside(self, path: str) -> str:
        """See `Runtime.inside`."""
        return path

    def freeze(self) -> tuple[int, ...]:
        """See `Runtime.freeze`: SIGSTOP works even on processes that are stuck in a dead mount.

        What starts while we look is found by the next sweep: a stopped parent starts nothing more.

        Raises:
            ServerRefused: a process is not ours to stop; those that were stopped before go on.
        """
        root = self.pid
        frozen: list[int] = []
        for _ in range(_SWEEPS):
            family = [] if root is None else [*self._table.tree(root)]
            family += [scanner.pid for scanner in self.scanners()]
            new = [pid for pid in dict.fromkeys(family) if pid not in frozen and pid != os.getpid()]
            if not new:
                break
            self._record.add(new)
            try:
                for pid in new:
                    frozen += [pid] if send(pid, signal.SIGSTOP) else []
            except PermissionError as error:
                self.thaw(frozen)
                raise ServerRefused(not_ours(pid)) from error
        self._frozen = bool(frozen)
        return tuple(frozen)

    def thaw(self, pids: Sequence[int]) -> None:
        """See `Runtime.thaw`: children first, so that nobody finds them still stopped."""
        for pid in reversed(pids):
            send(pid, signal.SIGCONT)
        self._thawed()

    def take_over(self) -> tuple[tuple[int, ...], float]:
        """See `Runtime.take_over`; only for the one supervisor that there is (see `clients.supervisor_lock`)."""
        left = self._record.take_over()
        if not left:
            self._record.clear()
            return (), 0.0
        self._frozen = True
        self.end_scanners()
        return left, self._record.age

    def _thawed(self) -> None:
        self._frozen = False
        self._record.clear()

    def end_scanners(self) -> int:
        """See `Runtime.end_scanners`."""
        return sum(send(scanner.pid, signal.SIGKILL) for scanner in self.scanners())

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """See `Runtime.log_tail`: the output of a server that we started, else its log file."""
        started = self._child is not None or self.owned  # its last words count
        hide = redact if self._config_dir is None else hider(self._config_dir)
        if self._log is not None and started and (found := tail(self._log, lines, hide=hide)):
            return found
        if self._config_dir is None:
            return ()
        return tail(PlexPaths.found(self._config_dir).server_log, lines, hide=hide)

    async def preferences_xml(self) -> dict[str, str]:
        """See `Runtime.preferences_xml`."""
        if self._config_dir is None:
            raise ServerAway("Preferences.xml cannot be read: plex.config_dir is not set")
        return await read_preferences(self._config_dir)

    async def _ended(self, pids: Iterable[int]) -> None:
        for pid in pids:
            await exited(pid)
            if self._child is not None and pid == self._child.pid:
                self._child.poll()

    async def _end_rest(self, descriptors: dict[int, int], *, polite: bool) -> bool:
        """End what is left of the family, first *polite* and then not; say whether all has ended."""
        hard = ((signal.SIGKILL, _KILL_PATIENCE),)
        for number, patience in ((signal.SIGTERM, _POLITE_PATIENCE), *hard) if polite else hard:
            left = self._left(descriptors)
            if not left:
                break
            signal_all(descriptors, left, number)
            signal_all(descriptors, left, signal.SIGCONT)
            with anyio.move_on_after(patience):
                await self._ended(left)
        return not self._left(descriptors)

    def _left(self, descriptors: dict[int, int]) -> list[int]:
        if self._child is not None:
            self._child.poll()
        alive = []
        for pid, descriptor in descriptors.items():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, 0)
                if self._table.argv(pid):  # a zombie can be signalled, but has no arguments any more
                    alive.append(pid)
        return alive


@contextmanager
def _appending(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
