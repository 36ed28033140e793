"""Whoever starts plexsuper as a user who may not look at Plex's directory is told so, instead of reading of a defect.

Root may look everywhere: there the kernel's permission to do so is taken from the child first.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PR_CAPBSET_DROP = 24  # linux/prctl.h
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # linux/capability.h
LIBC = ctypes.CDLL(None)


def give_up_rights() -> None:
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody may look into, with the files of a Plex and of plexsuper in it."""
    place = tmp_path / "theirs"
    for name in ("Plex Media Server/Plug-in Support/Databases", "state/runs"):
        (place / name).mkdir(parents=True)
    (place / "Plex Media Server/Preferences.xml").write_text("<Preferences/>")
    (tmp_path / "media").mkdir()
    (tmp_path / "media/film.mkv").write_bytes(b"film")
    place.chmod(0)
    try:
        yield place
    finally:
        place.chmod(0o700)


def restricted(*argv: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run as a user for whom permissions count."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PLEX_", "PLEXSUPER_"))}
    env |= {"COLUMNS": "400"}
    return subprocess.run(
        [sys.executable, *argv],
        cwd=cwd,
        env=env,
        preexec_fn=give_up_rights,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def plexsuper(command: str, place: Path, state: Path, config: Path) -> "subprocess.CompletedProcess[str]":
    file = place / "plexsuper.toml"
    file.write_text(
        f'state_dir = "{state}"\n[plex]\nconfig_dir = {json.dumps(str(config))}\nurl = "http://127.0.0.1:9"\n'
        f'[media]\npath = "{place}/media"\n'
    )
    file.chmod(0o600)
    return restricted("-m", "plexsuper", command, "--config", str(file), cwd=place)


@pytest.mark.lesson("L19")
def test_a_directory_of_plex_that_may_not_be_looked_at_is_named_with_the_remedy(tmp_path, theirs):
    said = plexsuper("check", tmp_path, tmp_path / "state", theirs)
    assert (said.returncode, said.stderr) == (3, "")
    assert f"{theirs}/Library/Application Support/Plex Media Server cannot be read" in said.stdout
    assert "-> run plexsuper as Plex's user, or as root" in said.stdout
    assert "does not exist" not in said.stdout
    assert "ERROR    library" not in said.stdout  # it is the same matter


def test_databases_that_may_not_be_looked_at_are_no_damaged_ones(tmp_path, theirs):
    theirs.chmod(0o755)
    root = theirs / "Plex Media Server"
    (root / "Plug-in Support").chmod(0)
    said = plexsuper("check", tmp_path, tmp_path / "state", root)
    (root / "Plug-in Support").chmod(0o755)
    assert (said.returncode, said.stderr) == (3, "")
    assert (
        f"ERROR library {root}/Plug-in Support/Databases/com.plexapp.plugins.library.db cannot be seen "
        "(permission denied): run plexsuper as Plex's user, or as root -> "
    ) in " ".join(said.stdout.split())


@pytest.mark.parametrize("command", ["runs", "report", "watch", "run"])
def test_a_state_directory_that_may_not_be_looked_at_is_named(tmp_path, theirs, command):
    said = plexsuper(command, tmp_path, theirs / "state", tmp_path / "plex")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"{theirs}/state cannot be read (permission denied): run plexsuper as its owner, or as root\n"
    )


def test_check_names_a_state_directory_that_may_not_be_looked_at(tmp_path, theirs):
    said = plexsuper("check", tmp_path, theirs / "state", tmp_path / "plex")
    assert said.returncode == 3
    assert f"{theirs}/state cannot be written" in said.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to stand where it may not look")
def test_a_place_that_may_not_be_looked_at_has_no_settings_file(theirs):
    said = restricted("-m", "plexsuper", "check", cwd=theirs)
    assert said.returncode == 2
    assert "media.path: is not set" in said.stderr
