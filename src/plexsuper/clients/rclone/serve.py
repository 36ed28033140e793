"""A small S3 server of rclone's own, for demonstrations and tests: a directory, served as buckets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from plexsuper.clients.processes.child import Child
from plexsuper.clients.rclone.binary import Rclone
from plexsuper.clients.rclone.environment import rclone_environment
from plexsuper.clients.rclone.log import LogTail
from plexsuper.clients.rclone.process import OwnProcess, end_process, spawn
from plexsuper.errors import StorageError

_STARTED: Final = "Starting s3 server on ["
_WITHIN: Final = 15.0
_LOOK: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """An S3 server that listens at `port` of the loopback, for whoever has the keys."""

    port: int
    access_key: str
    secret_key: str
    child: Child


@asynccontextmanager
async def serve_s3(
    rclone: Rclone,
    tree: Path,
    *,
    log: Path,
    access_key: str = "PLEXSUPERDEMO000001",
    secret_key: str = "for-loopback-only-0001",  # noqa: S107 - it guards nothing
    port: int = 0,
) -> AsyncIterator[S3Server]:
    """Serve the directories in *tree* as buckets for as long as the block lasts; a change shows at once, as on S3.

    Without a *port* a free one is taken.

    Raises:
        StorageError: this rclone cannot do that (older than 1.65), or it ended.
    """
    command = [rclone.path, "serve", "s3", str(tree), f"--addr=127.0.0.1:{port}", "--read-only"]
    command += ["--dir-cache-time=0s", "--config="]
    environment = rclone_environment({"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'})
    tail = LogTail(str(log))
    tail.read()  # what another server said before is not ours
    child = await anyio.to_thread.run_sync(spawn, command, environment, log)
    process = OwnProcess(child)
    try:
        found = await _port(process, tail)
        yield S3Server(port=found, access_key=access_key, secret_key=secret_key, child=child)
    finally:
        with anyio.CancelScope(shield=True):
            await end_process(process)


async def _port(process: OwnProcess, log: LogTail) -> int:
    with anyio.move_on_after(_WITHIN):
        while not process.ended():
            for line in log.read():
                if _STARTED in line.text:
                    return int(
                        line.text.partition(_STARTED)[2].partition("]")[0].rstrip("/").rpartition(":")[2]
                    )
            await anyio.sleep(_LOOK)
    raise StorageError(f"rclone serve s3 did not start: {' / '.join(tuple(log.last)[-2:])}")


def remote_config(server: S3Server, *, name: str = "s3", port: int | None = None) -> str:
    """Return the rclone configuration of a remote *name* for *server*; *port* where something stands before it."""
    return "\n".join(
        (
            f"[{name}]",
            "type = s3",
            "provider = Other",
            f"endpoint = http://127.0.0.1:{port or server.port}",
            f"access_key_id = {server.access_key}",
            f"secret_access_key = {server.secret_key}",
            "force_path_style = true",
            "",
        )
    )
