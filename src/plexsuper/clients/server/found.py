"""Finds the server of one configuration directory, and its scanners, among the processes of this host."""

import os
from pathlib import Path

from plexsuper.clients.processes.lifetime import Lifetime
from plexsuper.clients.processes.table import ProcessTable
from plexsuper.database.files import LIBRARY
from plexsuper.paths import SERVER, PlexPaths
from plexsuper.terms import Scanner

SUPPORT_DIR = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"


class LocalServer:
    """The server that uses *config_dir* (see `LocalRuntime`), whoever has started it.

    Scanners are looked for several times a second, so that nothing is judged twice: a server is looked for anew only
    when the one that was found has ended.
    """

    def __init__(self, table: ProcessTable, config_dir: Path | None) -> None:
        self._table = table
        self._any = config_dir is None
        self._places = () if config_dir is None else PlexPaths.candidates(config_dir)
        self._found: Lifetime | None = None
        self._ours: set[int] = set()
        """The scanners of the last look."""
        self._names: set[str] = set()
        """What environments have called our directory."""

    @property
    def pid(self) -> int | None:
        """The server's process; None while none runs. One of which nothing tells whose it is counts as the last resort."""
        if self._found is not None and self._found.goes_on:
            return self._found.pid
        judged = {pid: self._serves_ours(pid) for pid in self._table.servers()}
        ours = next((pid for pid, ours in judged.items() if ours), None)
        self._found = None if ours is None else Lifetime.of(ours)
        return ours if ours is not None else next((pid for pid, ours in judged.items() if ours is None), None)

    def scanners(self) -> tuple[Scanner, ...]:
        """Return its scanner processes, by pid."""
        found = self._table.scanners()
        self._ours = {s.pid for s in found if s.pid in self._ours or self._belongs(s.pid)}
        return tuple(scanner for scanner in found if scanner.pid in self._ours)

    def _belongs(self, scanner: int) -> bool:
        """Whether a scanner is our server's: by the directory it was given, else by its parents."""
        if (named := self._names_ours(scanner)) is not None:
            return named
        server = self.pid
        return server is not None and server in set(self._table.ancestors(scanner))

    def _serves_ours(self, pid: int) -> bool | None:
        """Whether a server is the one of our directory; None if nothing of it tells and somebody has our library open."""
        if (named := self._names_ours(pid)) is not None:
            return named
        opened = {Path(name).parent for name in self._table.open_files(pid) if name.endswith(LIBRARY)}
        if opened:
            return not opened.isdisjoint(paths.databases for paths in self._places)
        return None if any(paths.library_index.exists() for paths in self._places) else False

    def _names_ours(self, pid: int) -> bool | None:
        """Whether the environment of a process names our directory; a container's server names another one."""
        if self._any:
            return True
        if (named := self._table.environ(pid, SUPPORT_DIR)) is None:
            return None
        if named in self._names:
            return True
        theirs = {os.path.realpath(path) for path in (named, f"{named}/{SERVER}")}
        if theirs.isdisjoint(os.path.realpath(paths.root) for paths in self._places):
            return False
        self._names.add(named)
        return True
