"""The copy of the databases that a run takes before its first scan: where it lies, and how it goes."""

import shutil
from contextlib import suppress
from pathlib import Path


def copy_of(run: str, databases_dir: Path) -> Path:
    """Return where the copy of *run* lies: beside the directory, so that a file system that can shares the blocks."""
    return databases_dir.with_name(f"{databases_dir.name}.plexsuper-{run}")


def traces_of(copy: Path) -> tuple[Path, Path]:
    """Return the names under which *copy* is removed and made, for which a killed process may have had no time."""
    return copy.with_name(f"{copy.name}.gone"), copy.with_name(f".{copy.name}.partial")


def let_go(copy: Path) -> None:
    """Remove a *copy* that nobody needs; killed in between, it is never taken for a whole one."""
    aside, draft = traces_of(copy)
    # Of an earlier copy of this run, by a process that was killed here
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(draft, ignore_errors=True)
    with suppress(OSError):
        copy.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
