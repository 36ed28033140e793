"""What the tests of the settings share: an empty place to work in, and short ways to write and load a settings file."""

import os
from pathlib import Path
from typing import Any

import pytest

from plexsuper.config import Settings, WrongSettings, load_settings
from plexsuper.errors import ExitCode

TOKEN = "tok-abcdefghijklmnop"
ENOUGH = '[plex]\nconfig_dir = "/plex"\n[media]\npath = "/media"\n'


def write(text: str, path: str = "plexsuper.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def load(text: str = ENOUGH, **flags: Any) -> Settings:
    write(text)
    return load_settings(flags={tuple(name.split("__")): value for name, value in flags.items()})


def wrong(text: str = "", **flags: Any) -> list[str]:
    """Return the findings as `place: key: reason; hint` lines."""
    with pytest.raises(WrongSettings) as caught:
        load(text, **flags)
    assert caught.value.exit_code is ExitCode.USAGE
    return [str(finding) for finding in caught.value.findings]


def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with an environment that says nothing about plexsuper."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith(("PLEXSUPER_", "PLEX_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("plexsuper.paths.MACHINE_SETTINGS", tmp_path / "machine/plexsuper.toml")
    monkeypatch.setattr("plexsuper.paths.MACHINE_STATE", tmp_path / "machine/state")
