"""Looks at a FUSE connection from the kernel's side, which never asks the file system itself and never hangs."""

import os
from contextlib import suppress

from plexsuper.clients.mounts.syscalls import mount_kind
from plexsuper.clients.mounts.table import Mount, read_mounts

ROOT = "/sys/fs/fuse/connections"


class FuseConnection:
    """The connection of the FUSE file system on *device* (`major:minor` of the mount table)."""

    def __init__(self, device: str, root: str = ROOT) -> None:
        self._directory = f"{root}/{device.rpartition(':')[2]}"

    def waiting(self) -> int | None:
        """Return how many requests wait for an answer; None when the connection is gone, or not visible."""
        try:
            descriptor = os.open(f"{self._directory}/waiting", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return int(os.read(descriptor, 32))
        except (OSError, ValueError):  # it went away between open and read
            return None
        finally:
            os.close(descriptor)

    def abort(self) -> bool:
        """End every request with an error, at once and for good; False when there is no such connection.

        It frees processes that even SIGKILL does not free. An idle rclone then unmounts itself, so that an
        empty directory would be seen: stop or kill it first.
        """
        try:
            descriptor = os.open(f"{self._directory}/abort", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(descriptor, b"1")
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def connection_of(mount: Mount | None) -> FuseConnection | None:
    """Return the connection of *mount*; None when it is no FUSE mount."""
    return FuseConnection(mount.device) if mount is not None and mount.kind.startswith("fuse") else None


def show_connections() -> None:
    """Make the connections visible if nobody has: without systemd their file system is not mounted.

    Without the right to do that `waiting` stays None and `abort` False; other signals remain.
    """
    if all(mount.point != ROOT for mount in read_mounts()):
        with suppress(OSError):
            mount_kind("fusectl", ROOT)
