"""Where plexsuper's own files are, for whoever only reads them: the other settings need not be right for that."""

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plexsuper.config.file import read_settings_file
from plexsuper.config.model import ENV_PREFIX
from plexsuper.config.types import LocalPath
from plexsuper.errors import SettingsError
from plexsuper.paths import settings_file, state_dir


def find_state_dir(file: Path | None = None) -> Path:
    """Return `state_dir` as a run would have it: from the environment, else from the settings file, else the usual one.

    *file* is the settings file; without it the usual places are looked at. Raise `SettingsError` when it, or the
    value, cannot be read.
    """
    value = os.environ.get(f"{ENV_PREFIX}STATE_DIR") or _from_file(file)
    if value is None:
        return state_dir()
    try:
        return TypeAdapter[Path](LocalPath).validate_python(value)
    except ValidationError as error:
        raise SettingsError(f"state_dir: {error.errors()[0]['msg']}") from error


def _from_file(file: Path | None) -> object:
    path = file or settings_file()
    if path is None:
        return None
    source = read_settings_file(path)
    if source.problem:
        raise SettingsError(f"{path}: {source.problem}")
    return source.values.get("state_dir")
