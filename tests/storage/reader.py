"""A busy reader of a mount point, as a process of its own: it lists and reads without a pause and keeps count.

It is not root, as Plex is not: the guard below a mount point keeps out everybody but root. Whoever else wants the
processor gets it first.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

_SCRIPT = r"""
import errno, json, os, sys
point, sheet = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY)
os.setgid(1000); os.setuid(1000); os.nice(10)
count = {"listed": 0, "empty": 0, "missing": 0, "errors": {}}
def write():
    os.pwrite(sheet, json.dumps(count).encode().ljust(600), 0)
while True:
    try:
        names = os.listdir(point)
        count["listed"] += 1
        count["empty"] += not names
        os.stat(point + "/Films")
    except FileNotFoundError:
        count["missing"] += 1
    except OSError as error:
        name = errno.errorcode.get(error.errno, str(error.errno))
        count["errors"][name] = count["errors"].get(name, 0) + 1
    write()
"""


@dataclass(slots=True)
class Reader:
    """What it saw so far; `empty` lists and `missing` names are what costs a library."""

    sheet: Path
    pid: int

    @property
    def seen(self) -> dict[str, object]:
        text = self.sheet.read_text().strip()
        return json.loads(text) if text else {"listed": 0, "empty": 0, "missing": 0, "errors": {}}

    @property
    def listed(self) -> int:
        return int(str(self.seen["listed"]))

    async def until_listed(self, count: int, within: float = 20.0) -> None:
        with anyio.fail_after(within):
            while self.listed < count:  # noqa: ASYNC110 - it waits for another process
                await anyio.sleep(0.005)

    @property
    def harm(self) -> tuple[int, int]:
        seen = self.seen
        return int(str(seen["empty"])), int(str(seen["missing"]))


@contextmanager
def busy_reader(point: Path, sheet: Path, *, slave: bool = False) -> Iterator[Reader]:
    """Read at *point*; *slave*: in a mount namespace of its own that gets our mounts, as a container does."""
    sheet.touch()
    command = [sys.executable, "-I", "-S", "-c", _SCRIPT, str(point), str(sheet)]
    if slave:
        command = ["unshare", "--mount", "--propagation", "slave", *command]
    process = subprocess.Popen(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Reader(sheet, process.pid)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
