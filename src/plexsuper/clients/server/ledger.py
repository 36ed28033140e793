"""A small file that remembers what must be undone in Plex, written before the deed, gone after the undoing."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from plexsuper.errors import StateError

_SINCE: Final = "plexsuper.since"
"""No preference of Plex: when the values that are remembered were the user's, in seconds of the wall clock."""


class Ledger:
    """Plex preferences as they were before they were silenced, by server, in the state directory.

    A run that is killed leaves its ledger behind, and the next run restores from it instead of taking the
    silenced values for the user's own. A file that somebody removes after it was saved through this object is no loss.
    """

    def __init__(self, state_dir: Path, machine: str) -> None:
        self._path = state_dir / f"preferences-{machine or 'unknown'}.json"
        self._saved: dict[str, str] | None = None

    def load(self) -> dict[str, str] | None:
        """Return the remembered values by preference id; None when nothing has to be undone."""
        kept = self._kept()
        return None if kept is None else {key: value for key, value in kept.items() if key != _SINCE}

    @property
    def since(self) -> int | None:
        """When Plex was first silenced of all that has to be undone; None when nothing has to be, 0 if nobody knows.

        A time that is still to come was told by a clock that was wrong.
        """
        kept = self._kept()
        if kept is None:
            return None
        since = kept.get(_SINCE, "")
        return int(since) if since.isdecimal() and int(since) <= time.time() else 0

    def _kept(self) -> dict[str, str] | None:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._saved
        except (OSError, ValueError) as error:
            raise StateError(
                f"{self._path} cannot be read ({error}); restore Plex's settings by hand, then delete it"
            ) from error
        if not isinstance(values, dict):
            raise StateError(
                f"{self._path} does not hold preferences; restore Plex's settings by hand, then delete it"
            )
        return {str(key): str(value) for key, value in values.items()}

    def save(self, values: Mapping[str, str]) -> None:
        """Remember *values*; they are on disk when this returns."""
        since = self.since
        kept = {**values, _SINCE: str(int(time.time()) if since is None else since)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(".tmp")
            with open(draft, "w", encoding="utf-8", opener=_private) as file:
                json.dump(kept, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise StateError(
                f"{self._path} cannot be written ({error.strerror}); nothing was changed in Plex. Make room or choose another state_dir"
            ) from error
        self._saved = kept

    def clear(self) -> None:
        """Forget: everything is undone."""
        self._path.unlink(missing_ok=True)
        self._saved = None


def left_in(state_dir: Path, machine: str = "*") -> tuple[Path, ...]:
    """Return the ledgers in *state_dir*: of servers to which a run that ended has not given everything back.

    With *machine*, an id or a pattern, only those of such servers.

    None of a directory of somebody else: whoever needs it tells that it cannot be read.
    """
    with suppress(PermissionError):
        return tuple(sorted(state_dir.glob(f"preferences-{machine}.json")))
    return ()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
