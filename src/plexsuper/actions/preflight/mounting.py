"""Judge whether the remote can be mounted here: rclone, its configuration, this machine, and the remote itself."""

from collections.abc import Iterator
from typing import Final

import anyio
import anyio.to_thread

from plexsuper.actions.preflight.seen import error, ok
from plexsuper.clients.mounts.host import MountHost, look_at_mount_host
from plexsuper.clients.rclone.binary import find_rclone
from plexsuper.clients.rclone.config import check_remote
from plexsuper.clients.rclone.fault import StorageFault
from plexsuper.clients.rclone.flags import MountWish, mount_options
from plexsuper.clients.rclone.remote import look_at_remote
from plexsuper.errors import PlexsuperError
from plexsuper.events import PreflightFinding

DEADLINE: Final = 20.0


async def check_mounting(
    wish: MountWish, *, named: str = "", deadline: float = DEADLINE
) -> tuple[PreflightFinding, ...]:
    """Return what was found, every finding at once; nothing is mounted or changed."""
    findings = [*judge_host(await anyio.to_thread.run_sync(look_at_mount_host))]
    try:
        rclone = await find_rclone(named)
        options = mount_options(wish, rclone)
    except PlexsuperError as refused:
        return (*findings, error("media.rclone", str(refused), "install rclone, or correct the settings"))
    findings.append(ok("media.rclone", str(rclone)))
    shown = " ".join(f"--{name}={value}" for name, value in options.items())
    findings.append(ok("media.flags", f"mounted with {shown}"))
    try:
        await anyio.to_thread.run_sync(check_remote, wish.config, wish.remote)
        entries = await look_at_remote(rclone, wish.config, wish.remote, deadline=deadline)
    except StorageFault as fault:
        findings.append(error("media.remote", str(fault), "correct media.remote or the rclone configuration"))
    except PlexsuperError as refused:
        findings.append(error("media.remote", str(refused), "correct media.remote or media.rclone_config"))
    else:
        findings.append(
            ok(
                "media.remote",
                f"{wish.remote} answers, {entries} {'entry' if entries == 1 else 'entries'} at its root",
            )
        )
    return tuple(findings)


def judge_host(host: MountHost) -> Iterator[PreflightFinding]:
    """Judge what was found on this machine."""
    if not host.device:
        remedy = "load the kernel module fuse; in a container, give it --device /dev/fuse"
        yield error("fuse", "/dev/fuse cannot be opened", remedy)
    if not host.fusermount:
        yield error("fuse", "fusermount3 is not on PATH", "install the package fuse3")
    if not host.allow_other:
        remedy = "write user_allow_other into /etc/fuse.conf, else Plex may not see the mount"
        yield error("fuse", "other users may not see our mounts", remedy)
    if not host.rights:
        remedy = "run plexsuper as root; in a container, give it --cap-add SYS_ADMIN"
        yield error(
            "fuse", "mounting is not allowed here, so a lost mount could not be replaced unseen", remedy
        )
    if host.device and host.fusermount and host.allow_other and host.rights:
        yield ok("fuse", "mounts can be made here, and others may see them")
