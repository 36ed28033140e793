"""What this machine must have for an rclone mount that Plex can see: the device, the helper, the rights."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CAP_SYS_ADMIN: Final = 21
_FUSE_CONF: Final = Path("/etc/fuse.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountHost:
    """What was found: `device` can be opened, `fusermount` is on PATH, `allow_other` is permitted to us, `rights` to mount."""

    device: bool
    fusermount: bool
    allow_other: bool
    rights: bool


def look_at_mount_host(fuse_conf: Path = _FUSE_CONF) -> MountHost:
    """Look at this machine. Reads local files: off the event loop."""
    return MountHost(
        device=_opens("/dev/fuse"),
        fusermount=shutil.which("fusermount3") is not None or shutil.which("fusermount") is not None,
        allow_other=os.geteuid() == 0 or _permits(fuse_conf),
        rights=_has_capability(_CAP_SYS_ADMIN),
    )


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _permits(fuse_conf: Path) -> bool:
    try:
        return bool(re.search(r"^\s*user_allow_other\b", fuse_conf.read_text(), re.MULTILINE))
    except OSError:
        return False


def _has_capability(number: int) -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> number & 1)
