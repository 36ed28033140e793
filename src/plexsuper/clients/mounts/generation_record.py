"""What is written down of every rclone mount that was started, so that whoever comes after a crash can find it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

_NAME = "generation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRecord:
    """One rclone: `pid` and `birth` name its process, `device` its mount, `url`, `user`, `password` its control.

    `wish` is a digest of everything it was started with: another one must not be adopted.
    """

    number: int
    pid: int
    birth: int
    device: str
    wish: str
    url: str
    user: str
    password: str
    cache_dir: str

    def write(self, directory: Path) -> None:
        """Write it into *directory*, whole or not at all, for nobody else to read. Local disk: off the loop."""
        fresh = directory / f"{_NAME}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
        fresh.replace(directory / _NAME)

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Return what stands in *directory*; None when its writer was killed before, or wrote another form."""
        try:
            return cls(**json.loads((directory / _NAME).read_text()))
        except (OSError, ValueError, TypeError):
            return None
