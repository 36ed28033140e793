"""The kernel's mount calls that the standard library lacks: attach, swap beneath, detach, propagation.

None of them asks the file system that is mounted for anything, so none can hang on a dead mount (measured on
Linux 6.18: 0.2 ms over a stopped FUSE server).
"""

import ctypes
import errno
import os
from typing import Final

_OPEN_TREE: Final = 428  # the same numbers on every architecture but alpha
_MOVE_MOUNT: Final = 429

_OPEN_TREE_CLONE: Final = 1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4
_MOVE_MOUNT_BENEATH: Final = 0x200
_AT_FDCWD: Final = -100

_MS_BIND: Final = 0x1000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MS_SHARED: Final = 1 << 20
_MNT_DETACH: Final = 2

_FS_IOC_GETFLAGS: Final = 0x80086601
_FS_IOC_SETFLAGS: Final = 0x40086602
FS_IMMUTABLE: Final = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


def clone(path: str) -> int:
    """Return a descriptor of a copy of the mount at *path* that is attached nowhere yet."""
    return _checked(
        _libc.syscall(
            ctypes.c_long(_OPEN_TREE),
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.c_uint(_OPEN_TREE_CLONE | os.O_CLOEXEC),
        ),
        f"copy the mount at {path}",
    )


def attach(tree: int, path: str, *, beneath: bool = False) -> None:
    """Attach the copy *tree* at *path*; *beneath* what is mounted there, so that nobody sees it yet.

    Raises `OSError`: EINVAL with *beneath* when the kernel is older than 6.5 or nothing is mounted there.
    """
    flags = _MOVE_MOUNT_F_EMPTY_PATH | (_MOVE_MOUNT_BENEATH if beneath else 0)
    _checked(
        _libc.syscall(
            ctypes.c_long(_MOVE_MOUNT),
            ctypes.c_int(tree),
            ctypes.c_char_p(b""),
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.c_uint(flags),
        ),
        f"attach a mount at {path}",
    )


def detach(path: str) -> None:
    """Take the topmost mount at *path* away at once; who has a file open there keeps it."""
    _checked(_libc.umount2(ctypes.c_char_p(os.fsencode(path)), ctypes.c_int(_MNT_DETACH)), f"unmount {path}")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Mount the directory *source* once more at *target*."""
    _mount(source, target, "", _MS_BIND | (_MS_REC if recursive else 0))


def make_private(path: str) -> None:
    """Let mounts below *path* be seen only here."""
    _mount("", path, "", _MS_PRIVATE)


def make_shared(path: str) -> None:
    """Let mounts below *path* appear in containers that have bound it (`rslave`, `rshared`)."""
    _mount("", path, "", _MS_SHARED)


def mount_kind(kind: str, target: str, options: str = "") -> None:
    """Mount a file system without a source, such as `tmpfs` or `fusectl`, at *target*."""
    _mount(kind, target, kind, 0, options)


def can_move_beneath() -> bool:
    """Say whether this kernel knows how to attach beneath: without a mount to move it complains of that, not of the flag."""
    result = _libc.syscall(
        ctypes.c_long(_MOVE_MOUNT),
        ctypes.c_int(-1),
        ctypes.c_char_p(b""),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(b"/"),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_BENEATH),
    )
    return result == 0 or ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS)


def set_immutable(descriptor: int, *, immutable: bool) -> None:
    """Forbid or allow changes in the directory open as *descriptor*; raises `OSError` where that cannot be done."""
    flags = ctypes.c_long(0)
    _checked(_libc.ioctl(descriptor, ctypes.c_ulong(_FS_IOC_GETFLAGS), ctypes.byref(flags)), "read flags")
    wanted = flags.value | FS_IMMUTABLE if immutable else flags.value & ~FS_IMMUTABLE
    flags = ctypes.c_long(wanted)
    _checked(_libc.ioctl(descriptor, ctypes.c_ulong(_FS_IOC_SETFLAGS), ctypes.byref(flags)), "set flags")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    _checked(
        _libc.mount(
            ctypes.c_char_p(os.fsencode(source)),
            ctypes.c_char_p(os.fsencode(target)),
            ctypes.c_char_p(kind.encode()),
            ctypes.c_ulong(flags),
            ctypes.c_char_p(options.encode()),
        ),
        f"mount at {target}",
    )


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")
    return result
