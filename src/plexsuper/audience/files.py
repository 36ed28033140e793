"""Writes a whole file in one step, so that nobody ever reads half of it."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int) -> str:
    """Put *content* in the place of *path* with the rights *mode*; return what is wrong, or nothing.

    A link stays one, and its file is replaced. What is no file, such as a device, is left alone.
    """
    if is_no_file(path):
        return f"{path} cannot be written: it is no file"
    try:
        place = Path(os.path.realpath(path))
        # Whoever reads the directory takes no name that begins with a dot and ends in random letters.
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(mode)
            Path(name).replace(place)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""


def is_no_file(path: Path) -> bool:
    """Whether *path* is a device, a pipe or a socket, which root could replace by a file for everybody."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))
