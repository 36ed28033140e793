"""Writes a whole file in one step, so that nobody ever reads half of it."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int) -> str:
    """Put *content* in the place of *path* with the rights *mode*; return what is wrong, or nothing."""
    try:
        # Whoever reads the directory takes no name that begins with a dot and ends in random letters.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""
