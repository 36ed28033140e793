"""Looks at a remote without mounting it: is it there, and is something in it?"""

import json
import subprocess
from pathlib import Path

import anyio

from plexsuper.clients.rclone.binary import Rclone
from plexsuper.clients.rclone.environment import rclone_environment
from plexsuper.clients.rclone.fault import StorageFault, as_fault
from plexsuper.clients.rclone.log import read_line
from plexsuper.errors import StorageError


async def look_at_remote(rclone: Rclone, config: Path, remote: str, *, deadline: float) -> int:
    """Return how many entries are at the root of *remote*.

    A bucket that does not exist mounts without complaint and shows an empty directory, so it must be asked for.

    Raises:
        StorageFault: it is empty, missing, refuses our credentials or does not answer within *deadline* s.
    """
    command = [rclone.path, "lsjson", remote, f"--config={config}", "--no-modtime", "--no-mimetype"]
    command += ["--retries=1", "--low-level-retries=2", "--contimeout=5s", f"--timeout={deadline:.0f}s"]
    try:
        with anyio.fail_after(deadline):
            done = await anyio.run_process(
                command, check=False, env=rclone_environment(), stdin=subprocess.DEVNULL
            )
    except TimeoutError:
        raise StorageFault("backend_down", f"{remote} has not answered for {deadline:g} s") from None
    if done.returncode != 0:
        words = [read_line(line).text for line in done.stderr.splitlines() if line.strip()]
        raise as_fault(StorageError(f"{remote}: {' '.join(words[-2:]) or 'rclone gives no reason'}"))
    entries = len(json.loads(done.stdout or b"[]"))
    if not entries:
        raise StorageFault("data_suspect", f"{remote} is empty")
    return entries
