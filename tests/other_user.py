"""Lets a test that runs as root be a user for whom permissions count."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def someone_else(place: Path) -> Iterator[None]:
    """For the block, be a user who owns nothing, but may go to *place*."""
    ways = [path for path in place.parents if not path.stat().st_mode & 0o001]
    modes = {path: path.stat().st_mode for path in ways}
    for path in ways:
        path.chmod(0o755)
    os.seteuid(54321)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)
