"""Writes the list of everything that was removed in a run: one JSON object a line, for its owner's eyes only."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from plexsuper.errors import StateError
from plexsuper.terms import Removal, SectionRef


def write_removals(path: Path, removals: Iterable[tuple[SectionRef, Removal]]) -> int:
    """Write *removals* to *path*, whole or not at all, in place of what was there; return how many there are.

    It blocks: call it off the event loop. Bytes of a name that are no UTF-8 are written as surrogate escapes.

    Raises:
        StateError: it cannot be written.
    """
    written = 0
    draft = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)  # one that a killed run left may be readable for others
        with open(draft, "x", encoding="ascii", opener=_private) as file:
            for section, removal in removals:
                line = {"section": asdict(section), **asdict(removal)}
                file.write(json.dumps(line) + "\n")
                written += 1
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StateError(
            f"the list of removals {path} cannot be written ({error.strerror}); make room or choose another state_dir"
        ) from error
    return written


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
