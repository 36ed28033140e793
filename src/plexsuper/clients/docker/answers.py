"""What the engine answers about one container, as typed values, and what it is sent."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from plexsuper.clients.processes.command_line import scanner_of
from plexsuper.terms import Scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """A container as it is now; `pid` is its first process on the engine's host, 0 when it does not run.

    `exit_code` is None while it runs; `oom` says that its end was for want of memory; `error` is why it could not start.
    """

    id: str
    name: str
    image: str
    running: bool
    paused: bool
    pid: int
    exit_code: int | None
    oom: bool
    error: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a container printed, and when: the engine's stamp, which sorts as text, and in Unix seconds."""

    stamp: str
    text: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line that the engine has stamped."""
        stamp, _, text = line.rstrip("\r").partition(" ")
        return cls(stamp, text)

    @property
    def at(self) -> float:
        """The time in Unix seconds."""
        return datetime.fromisoformat(self.stamp[:26] + "+00:00").timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a container uses: processors (1.0 is one of them), bytes of memory without the page cache, its limit."""

    cpus: float
    memory: int
    limit: int | None


def scanners_of(rows: Sequence[Sequence[str]]) -> tuple[Scanner, ...]:
    """Return the scanners among the rows of `top`: a pid and a command line, whose words cannot be told apart."""
    found = []
    for row in rows:
        program, mark, rest = row[1].partition("Plex Media Scanner")
        if mark and (scanner := scanner_of(int(row[0]), (program + mark, *rest.split()))) is not None:
            found.append(scanner)
    return tuple(sorted(found, key=lambda scanner: scanner.pid))


def state_from(shown: Mapping[str, Any]) -> ContainerState:
    """Read what the engine shows of a container."""
    state = shown["State"]
    running = bool(state["Running"])
    return ContainerState(
        id=shown["Id"],
        name=shown["Name"].removeprefix("/"),
        image=shown["Config"]["Image"],
        running=running,
        paused=bool(state["Paused"]),
        pid=state["Pid"],
        exit_code=None if running else state["ExitCode"],
        oom=bool(state["OOMKilled"]),
        error=state["Error"],
        labels=shown["Config"]["Labels"] or {},
    )


def measured_from(sample: Mapping[str, Any]) -> Measured | None:
    """Read one line of the engine's statistics; the first has nothing to compare with, the last is empty."""
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    memory = sample.get("memory_stats") or {}
    whole = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    if "usage" not in memory or not before.get("system_cpu_usage") or whole <= 0:
        return None
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    cached = memory.get("stats", {})
    cache = cached.get("total_inactive_file", cached.get("inactive_file", 0))
    limit = memory.get("limit", 0)
    return Measured(
        cpus=used / whole * now.get("online_cpus", 1),
        memory=max(0, memory["usage"] - cache),
        limit=limit if 0 < limit < 1 << 60 else None,
    )


def archive_of(path: str, text: str) -> bytes:
    """Return a tar archive with *text* as the file *path*, readable by root alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(path.removeprefix("/"))
        member.size, member.mode = len(text.encode()), 0o400
        archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def hint_for(refusal: str) -> str:
    """Return what to do about a start that the engine refused, empty when its own words must do."""
    if "port is already allocated" in refusal or "address already in use" in refusal:
        return ". Something else uses that port: end it, or set plex.docker.port to another one"
    if "is not a shared or slave mount" in refusal:
        return (
            ". A later mount of the media could not be seen in the container: make the directory above it a shared "
            "mount (mount --bind D D && mount --make-shared D)"
        )
    if "bind source path" in refusal:
        return ". A directory of the settings is not on the engine's host: make it there, or correct it"
    return ""
