"""Collect the logs of a run for whoever has to find out what happened: the container's, Plex's, and rclone's."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio.to_thread

from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.log_archive import logs_in, write_archive
from plexsuper.errors import StateError
from plexsuper.events import LogsCollected

_RCLONE: Final = ("mount/staging/gen-*/log",)
"""Where the mounts that we made have their logs, each beside its mount."""


async def collect_logs(
    container: DockerRuntime | None, *, plex: Path | None, state_dir: Path, hide: Callable[[str], str]
) -> LogsCollected:
    """Write the log of *container*, the logs below *plex* and those of our own directory to one archive in it.

    Every text goes through *hide* first (lesson F05).

    Raises:
        StateError: the archive cannot be written.
        ServerAway: the engine does not answer.
    """
    target = state_dir / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    texts: dict[str, Iterable[str]] = {}
    if container is not None:
        lines = await container.container.log()
        texts["container.log"] = [f"{line.stamp} {line.text}" for line in lines]
    try:
        written = await anyio.to_thread.run_sync(
            lambda: write_archive(
                target,
                files=[
                    *(() if plex is None else logs_in(plex, "plex", "*.log", "PMS Plugin Logs/*.log")),
                    *logs_in(state_dir, "plexsuper", "*.log", *_RCLONE),
                ],
                texts=texts,
                hide=hide,
            )
        )
    except OSError as error:
        raise StateError(f"the logs cannot be collected in {target}: {error.strerror}") from error
    return LogsCollected(path=str(written.path), files=written.files, size=written.size)
