"""The program of a scanner process: it does what the server tells it to do with files, in a process of its own.

It runs without the package (its source is handed to a bare Python), answers JSON lines on its standard input, which
is a socket, and ends when that is closed or its server dies. What makes it look like Plex is `rename`: the command
line that others see is exactly Plex's.
"""

import ctypes
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence

HEAD = 65536
"""How much of a file an analysis reads, in bytes."""

PADDING = "x"


def padding(argv: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the further argument that makes *argv* as long as *wanted*, None where nothing is missing.

    A process cannot move the place where the kernel finds its arguments, but it can overwrite it.
    """
    missing = sum(len(os.fsencode(word)) + 1 for word in wanted) - sum(
        len(os.fsencode(word)) + 1 for word in argv
    )
    return PADDING * (missing - 1) if missing > 0 else None


def rename(argv: Sequence[str], name: str) -> bool:
    """Let this process look as if it had been started with *argv* and were called *name*.

    False when the room does not fit exactly; `padding` makes it fit.
    """
    text = b"".join(os.fsencode(word) + b"\0" for word in argv)
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the start-up time
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    with open("/proc/self/comm", "w", encoding="ascii") as file:  # noqa: PTH123 - same
        file.write(name[:15])
    if end - start != len(text):
        return False
    with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 - same
        memory.seek(start)
        memory.write(text)
    return True


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it dies, even if it is stopped then."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def mtime(path: str) -> int:
    """Return when a folder was changed, in whole seconds; -1 for "just now".

    In the second of the change another one could follow that leaves the time as it is; so nobody may rely on it.
    """
    changed = int(os.stat(path).st_mtime)  # noqa: PTH116 - pathlib would double the start-up time
    return changed if changed < time.time() - 1 else -1


def listing(path: str) -> list[object]:
    """Return a folder's time, files and folders."""
    changed = mtime(path)
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            (folders if entry.is_dir() else files).append(entry.name)
    return [changed, sorted(files), sorted(folders)]


def sizes(path: str, names: Sequence[str]) -> list[int | None]:
    """Return the size of each file, None where it cannot be looked at or is no file."""
    found: list[int | None] = []
    for name in names:
        try:
            status = os.stat(f"{path}/{name}")  # noqa: PTH116 - same
        except OSError:
            found.append(None)
        else:
            found.append(status.st_size if stat.S_ISREG(status.st_mode) else None)
    return found


def read(path: str) -> int:
    """Open a file and read its head."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - same
        return len(file.read(HEAD))


DEEDS: dict[str, Callable[..., object]] = {"mtime": mtime, "listing": listing, "sizes": sizes, "read": read}


def serve(lines: socket.socket) -> None:
    """Answer until the other side closes."""
    with lines.makefile("rwb") as stream:
        for line in stream:
            deed, *arguments = json.loads(line)
            try:
                answer: object = {"ok": DEEDS[deed](*arguments)}
            except OSError as error:
                answer = {"errno": error.errno}
            stream.write(json.dumps(answer).encode() + b"\n")
            stream.flush()


def main() -> None:
    """Read the wanted arguments, become them, and work."""
    die_with_parent()
    with socket.socket(fileno=0) as lines:
        with lines.makefile("rb", buffering=0) as first:
            wanted = json.loads(first.readline())
        rename(wanted, "Plex Media Scanner")
        if "--scan" in wanted:
            sys.stdout.write(
                "The '--scan' operation is deprecated and will be removed in future versions of Plex Media Server.\n"
            )
            sys.stdout.flush()
        serve(lines)


if __name__ == "__main__":
    main()
