"""What the lines of a Plex container's log mean: pure, one line after the other, with the time at which it came.

The words are those of `plexinc/pms-docker` and `linuxserver/plex`, recorded from their scripts and from issue reports.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from plexsuper.terms import PlexFault

LogKind: TypeAlias = Literal[
    "claim_granted", "server_started", "scan_started", "storage_failing", "server_crashed"
]
"""What is worth noting, but no reason to give up."""

LOOP: Final = 3
"""So many starts of the server within `LOOP_WITHIN` seconds are a loop: the supervisor starts it again for ever."""

LOOP_WITHIN: Final = 60.0

_DAMAGED = re.compile(
    r"database disk image is malformed|database corruption at line|malformed database schema|file is not a database"
)
_KINDS: Final[tuple[tuple[LogKind, re.Pattern[str]], ...]] = (
    ("claim_granted", re.compile(r"^Token obtained successfully|^Server claimed successfully")),
    ("server_started", re.compile(r"^Starting Plex Media Server\.")),
    ("scan_started", re.compile(r"^The '--scan' operation is deprecated")),
    (
        "storage_failing",
        re.compile(
            r"Transport endpoint is not connected|Socket not connected|Input/output error|Stale file handle"
            r"|Software caused connection abort|directory_iterator::construct: Permission denied"
        ),
    ),
    ("server_crashed", re.compile(r"PLEX MEDIA SERVER CRASHED|libc\+\+abi: terminating")),
)
_CLAIM_TRIED = re.compile(r"Attempting to obtain server token from claim token")
_FIRST_RUN_OVER = re.compile(r"^Plex Media Server first run setup complete|^\[ls\.io-init\] done")
_NO_MEMORY = re.compile(r"std::bad_alloc|Cannot allocate memory|[Oo]ut of memory")


@dataclass(frozen=True, slots=True)
class Noticed:
    """A line that tells something."""

    kind: LogKind
    line: str


@dataclass(frozen=True, slots=True)
class Fatal:
    """Something that waiting will not mend; `detail` says what it means and what to do."""

    fault: PlexFault
    detail: str


def database_damage(lines: Iterable[str]) -> str:
    """Return what the last words of a server that ended tell of its database, empty if nothing."""
    damaged = next((line.strip() for line in lines if _DAMAGED.search(line)), None)
    return "" if damaged is None else _DATABASE_DAMAGED.format(damaged)


@dataclass(slots=True)
class LogReader:
    """Reads the log of one life of a container, from its first line on."""

    claim_tried: bool = False
    claim_granted: bool = False
    _starts: deque[float] = field(default_factory=lambda: deque(maxlen=LOOP))
    _last_words: str = ""
    _told: set[PlexFault] = field(default_factory=set)

    def read(self, line: str, at: float) -> tuple[Noticed | Fatal, ...]:
        """Return what *line*, printed *at* this second, tells; the same fault is told once."""
        found: list[Noticed | Fatal] = [
            Noticed(kind, line) for kind, pattern in _KINDS if pattern.search(line)
        ]
        fatal = self._fatal(line, at)
        if fatal is not None and fatal.fault not in self._told:
            self._told.add(fatal.fault)
            found.append(fatal)
        return tuple(found)

    def _fatal(self, line: str, at: float) -> Fatal | None:
        if _CLAIM_TRIED.search(line):
            self.claim_tried = True
        elif line.startswith("Token obtained successfully"):
            self.claim_granted = True
        elif line.startswith("Unable to claim Plex server.") or (
            _FIRST_RUN_OVER.search(line) and self.claim_tried and not self.claim_granted
        ):  # linuxserver's own words
            return Fatal("claim_failed", _CLAIM_FAILED)
        elif _DAMAGED.search(line):
            return Fatal("database_damaged", _DATABASE_DAMAGED.format(line.strip()))
        elif _NO_MEMORY.search(line):
            return Fatal("out_of_memory", OUT_OF_MEMORY)
        elif line.startswith("Starting Plex Media Server."):
            return self._loop(at)
        elif line.strip() and not line.startswith(("[", "Stopping Plex", "Critical: libusb")):
            self._last_words = line.strip()
        return None

    def _loop(self, at: float) -> Fatal | None:
        self._starts.append(at)
        if len(self._starts) < LOOP or at - self._starts[0] > LOOP_WITHIN:
            return None
        return Fatal(
            "crash_loop",
            f"the server was started {LOOP} times within {at - self._starts[0]:.0f} s and does not stay; its last "
            f"words: {self._last_words or '(none)'}. Look at its logs and crash reports in /config",
        )


_CLAIM_FAILED: Final = (
    "plex.tv did not take the claim, so the server is unclaimed. A claim is valid for four minutes and works once: get "
    "a new one from plex.tv/claim, or go on unclaimed by leaving PLEX_CLAIM out"
)
_DATABASE_DAMAGED: Final = (
    "the library database is damaged, and the server cannot start with it: {}. Repair it (`plexsuper db repair`), or put "
    "a copy of it in its place, and start again"
)
OUT_OF_MEMORY: Final = (
    "the container ran out of memory and the kernel killed a process of it: give it more (plex.docker.memory), or set "
    "no limit"
)
