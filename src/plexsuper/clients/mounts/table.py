"""What is mounted where, read from the kernel's table: it never touches a mount, so it never hangs."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table; `device` is `major:minor`, for FUSE its connection is the minor number."""

    id: int
    device: str
    point: str
    kind: str
    source: str


@lru_cache(maxsize=1)  # it is read all the time, and nearly always says what it said before
def parse_mounts(table: bytes) -> tuple[Mount, ...]:
    """Read the text of `/proc/self/mountinfo`; names are octal-escaped there and need not be UTF-8."""
    found = []
    for line in table.splitlines():
        fields, _, rest = line.partition(b" - ")
        before, after = fields.split(b" "), rest.split(b" ")
        if len(before) > 4 and len(after) > 1:
            point, kind, source = (_plain(text) for text in (before[4], after[0], after[1]))
            found.append(Mount(int(before[0]), before[2].decode(), point, kind, source))
    return tuple(found)


def read_mounts() -> tuple[Mount, ...]:
    """Return what is mounted in this process's view, in the order in which it was mounted."""
    descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 1024 * 1024):
            parts.append(part)
    finally:
        os.close(descriptor)
    return parse_mounts(b"".join(parts))


def covering(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount on which *path* (absolute, without links) lies; of several on one point the last."""
    found: Mount | None = None
    for mount in mounts:
        below = mount.point.rstrip("/") + "/"
        inside = path == mount.point or path.startswith(below)
        if inside and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _plain(text: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda octal: bytes([int(octal[1], 8)]), text))
