"""Lets containers that have bound a directory see what is mounted below it later.

A container's `rslave` bind shows later mounts only if the directory lies on a *shared* mount. With systemd the root
is one; elsewhere the directory is bound onto itself once and made shared. Local work on the kernel's mount table.
"""

import os
from pathlib import Path

from plexsuper.clients.mounts.syscalls import bind, detach, make_shared
from plexsuper.clients.mounts.table import covering, read_mounts


def is_shared(directory: Path) -> bool:
    """Say whether what is mounted below *directory* (a real path) is seen through binds of it."""
    mount = covering(str(directory), read_mounts())
    return mount is not None and mount.id in _shared_ids()


def share(directory: Path) -> bool:
    """Make *directory* shared if it is not, and say whether that was needed (then `unshare` takes it back)."""
    if is_shared(directory):
        return False
    bind(str(directory), str(directory), recursive=True)
    make_shared(str(directory))
    return True


def unshare(directory: Path) -> None:
    """Take back what `share` did, if it is still there."""
    if any(mount.point == str(directory) for mount in read_mounts()):
        detach(str(directory))


def _shared_ids() -> set[int]:
    descriptor = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 1024 * 1024):
            parts.append(part)
    finally:
        os.close(descriptor)
    lines = b"".join(parts).splitlines()
    return {int(line.split(b" ", 1)[0]) for line in lines if b" shared:" in line.partition(b" - ")[0]}
