"""The child process that touches the media storage in the supervisor's place, so that only it can hang.

It runs by its path with nothing but the standard library, reads one JSON request a line from its standard input,
answers one JSON object a line, and ends with its input. It keeps no file of the storage open between requests:
a process that holds one cannot even be killed while the storage does not answer.
"""

# ruff: noqa: PTH116, PTH118, PTH208
# pathlib would double the time to start, and hide the errno of a dead mount.

import json
import os
import stat
import sys
import time
from collections import deque

READ_BYTES = 4096
KEPT_FILES = 8
READ_FILES = 2
WALK_SECONDS = 1.0
WALK_DIRECTORIES = 64
IGNORED = {"lost+found"}


def counts(name: str) -> bool:
    """Say whether an entry of this name is content; `.keep` and the like lie in empty mount points too."""
    return not name.startswith(".") and name not in IGNORED


class Files:
    """A few files of the storage, found once and read in turn."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()

    def look(self, root: str, entries: list[str], errors: list[list[object]]) -> int:
        """Read the beginning of some files below *root* and return how many could be read."""
        fresh = not self._names
        if fresh:
            self._names.extend(self._find(root, entries, errors))
        done = self._read(errors, strict=fresh)
        if not done and not errors and not fresh:  # those we knew are gone: look for others, once
            self._names.clear()
            self._names.extend(self._find(root, entries, errors))
            done = self._read(errors, strict=True)
        return done

    def _read(self, errors: list[list[object]], *, strict: bool) -> int:
        done = 0
        for _ in range(min(READ_FILES, len(self._names))):
            name = self._names.popleft()
            try:
                read_beginning(name)
            except FileNotFoundError as error:
                if strict:  # it was listed a moment ago
                    errors.append(["read", error.errno, name])
                continue
            except OSError as error:
                errors.append(["read", error.errno, name])
            else:
                done += 1
            self._names.append(name)
        return done

    def _find(self, root: str, entries: list[str], errors: list[list[object]]) -> list[str]:
        """Walk breadth first, for a short time: with a remote behind it each directory is a round trip."""
        found: list[str] = []
        todo = deque(os.path.join(root, name) for name in entries)
        end = time.monotonic() + WALK_SECONDS
        opened = 0
        while todo and len(found) < KEPT_FILES and opened < WALK_DIRECTORIES and time.monotonic() < end:
            path = todo.popleft()
            try:
                mode = os.lstat(path).st_mode
                if stat.S_ISREG(mode):
                    found.append(path)
                elif stat.S_ISDIR(mode):
                    opened += 1
                    names = sorted(filter(counts, os.listdir(path)))
                    todo.extend(os.path.join(path, name) for name in names[:WALK_DIRECTORIES])
            except OSError as error:
                errors.append(["list", error.errno, path])
        return found


def read_beginning(path: str) -> None:
    """Read the first bytes of *path*, not from the page cache; a directory is listed instead."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.listdir(descriptor)
            return
        os.posix_fadvise(descriptor, 0, READ_BYTES, os.POSIX_FADV_DONTNEED)
        os.pread(descriptor, READ_BYTES, 0)
    finally:
        os.close(descriptor)


def look(request: dict[str, object], files: Files) -> dict[str, object]:
    """Say what is at a path: its device and real name, its entries, and whether files can be read."""
    path = str(request["path"])
    samples = [os.path.join(path, str(name)) for name in request["samples"]]  # type: ignore[attr-defined]  # from JSON
    errors: list[list[object]] = []
    answer: dict[str, object] = {"errors": errors, "entries": 0, "read": 0, "missing": 0}
    try:
        answer["real"] = os.path.realpath(path)
        device = os.stat(path).st_dev
        answer["device"] = f"{os.major(device)}:{os.minor(device)}"
        entries = sorted(filter(counts, os.listdir(path)))
    except OSError as error:
        errors.append(["root", error.errno, path])
        return answer
    answer["entries"] = len(entries)
    if not samples:
        answer["read"] = files.look(path, entries, errors)
        return answer
    read = missing = 0
    for sample in samples:
        try:
            read_beginning(sample)
            read += 1
        except (FileNotFoundError, NotADirectoryError):
            missing += 1
        except OSError as error:
            errors.append(["read", error.errno, sample])
    answer["read"], answer["missing"] = read, missing
    return answer


def exists(request: dict[str, object]) -> dict[str, object]:
    """Say for each path whether it is there; what is not known is an error, never "no"."""
    errors: list[list[object]] = []
    there: list[bool] = []
    for path in request["paths"]:  # type: ignore[attr-defined]  # from JSON
        try:
            os.stat(path)
            there.append(True)
        except (FileNotFoundError, NotADirectoryError):
            there.append(False)
        except OSError as error:
            there.append(False)
            errors.append(["root", error.errno, path])
    return {"errors": errors, "there": there}


def main() -> None:
    """Answer requests until the input ends."""
    os.chdir("/")  # a working directory on the storage would hold the process there
    os.closerange(3, 4096)
    files = Files()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = look(request, files) if request["op"] == "look" else exists(request)
        answer["id"] = request["id"]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
