"""Look a sample of every section's files up in storage: do the paths of the library lead anywhere?"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plexsuper.errors import SettingsError, StorageError

LookUp = Callable[[Sequence[bytes]], Sequence[bool]]
"""Say of each path whether a file of exactly this name is there; raise `StorageError` when storage does not answer."""

_PATIENCE = 60.0
_GRACE = 1.0

# A look at a dead FUSE mount never returns and cannot be interrupted: it happens in a child that can be left behind.
_CHILD = """
import os, sys
for path in sys.stdin.buffer.read().split(b"\\0")[:-1]:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        answer = b"0"
    except OSError as error:
        sys.exit(f"{os.fsdecode(path)}: {error.strerror}")
    else:
        answer = b"1"
    sys.stdout.buffer.write(answer)
"""


@dataclass(frozen=True, slots=True)
class MediaRoot:
    """The directory *host* on this machine which is the folder *prefix* (empty: `/`) of the library's paths."""

    host: bytes
    prefix: bytes = b""

    def locate(self, path: bytes) -> bytes | None:
        """Return where *path* of the library lies on this machine, or None when it is not below the prefix."""
        if not path.startswith(self.prefix + b"/"):
            return None
        return self.host + path[len(self.prefix) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionProof:
    """The sample of one section: how many of *sampled* files storage has under the old and under the new path.

    None: not one of the paths lies below the media root, so nothing could be looked up.
    """

    id: int
    title: str
    sampled: int
    before: int | None
    after: int | None

    @property
    def without_hit(self) -> bool:
        """Whether storage has not one file of the sample under the path the library will have."""
        return self.sampled > 0 and not self.after


def parse_media_root(text: str) -> MediaRoot:
    """Return the media root of `DIR` (DIR stands for `/`) or `PREFIX=DIR`; raise `SettingsError`."""
    prefix, sign, host = text.rpartition("=")
    directory = Path(host)
    if not directory.is_absolute() or (sign and not prefix.startswith("/")):
        raise SettingsError(f"media root {text!r}: write DIR or PREFIX=DIR, both absolute")
    return MediaRoot(os.fsencode(directory).rstrip(b"/"), os.fsencode(prefix).rstrip(b"/"))


def count_hits(paths: Sequence[bytes], root: MediaRoot, look_up: LookUp) -> int | None:
    """Return how many of *paths* storage has; None when none of them lies below *root*."""
    located = [path for path in map(root.locate, paths) if path is not None]
    return sum(look_up(located)) if located else None


def _abandon(child: subprocess.Popen[bytes]) -> None:
    """Kill *child* and wait for its end only a moment: in a dead mount it never ends."""
    child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):  # what was not sent cannot be sent any more
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE)


def look_up_in_child(paths: Sequence[bytes], *, patience: float = _PATIENCE) -> list[bool]:
    """Be a `LookUp` that asks the filesystem in a child process, for at most *patience* seconds.

    Raises:
        StorageError: it did not answer in time (the child is left behind, killed), or with an input/output error.
    """
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        answer, complaint = child.communicate(b"".join(path + b"\0" for path in paths), timeout=patience)
    except subprocess.TimeoutExpired as error:
        _abandon(child)
        raise StorageError(
            f"the media root did not answer within {patience:.0f} s: is the mount alive?"
        ) from error
    if child.returncode or len(answer) != len(paths):
        said = complaint.decode("utf-8", "replace").strip()
        raise StorageError(f"the media root cannot be read: {said or 'no answer'}; nothing was changed")
    return [mark == ord("1") for mark in answer]
