"""A run with a container and a mount of its own, as real processes that can be killed and started again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread

from plexsuper.simulator.media.making import make_media_tree
from tests.docker.lab import Lab, docker, lab
from tests.real_run import Line, RealRun, processes_of
from tests.storage.stack import Stack, stack

PATIENCE = 120.0
FILMS = 5


@dataclass(slots=True)
class Resuming:
    """The surroundings of one run in several processes."""

    there: Stack
    here: Lab
    file: Path
    started: int = 0

    @contextmanager
    def run(self, verb: str = "run") -> Iterator[RealRun]:
        """Start the run, or let it go on; *verb* is another command with its settings."""
        self.started += 1
        place = self.here.root / f"out-{self.started}"
        place.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PLEX_", "PLEXSUPER_"))
        }
        environment = kept | {"DOCKER_HOST": self.here.engine, "PLEX_CLAIM": "claim-secretword"}
        argv = [sys.executable, "-m", "plexsuper", verb, "--events", "jsonl", "--config", str(self.file)]
        with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
            process = subprocess.Popen(argv, env=environment, stdout=out, stderr=err)
        try:
            yield RealRun(process, place)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    async def killed_in_a_scan(self) -> float:
        """Run until a scan is seen to run, kill the supervisor; return after how many seconds the section ran."""
        began = time.monotonic()
        with self.run() as run:
            await seen(run, "section.phase.started")
            seconds = time.monotonic() - began
            await seen(run, "scanners.changed", lambda line: bool(line["data"]["running"]))
            run.process.kill()
            run.process.wait()
        return seconds

    def rclones(self) -> list[int]:
        """Return the rclone processes that mount something here."""
        found = processes_of(self.there.root) | processes_of(self.here.root)
        return [pid for pid, argv in found.items() if "rclone" in argv and " mount " in argv]

    def container(self) -> str:
        """Return id and first process of the container that runs."""
        return docker("inspect", "--format", "{{.Id}} {{.State.Pid}}", self.here.name)


async def seen(run: RealRun, type_: str, wanted: Callable[[Line], bool] = lambda _: True) -> Line:
    """Wait until such a line is out."""

    def look() -> Line:
        end = time.monotonic() + PATIENCE
        while (found := next(filter(wanted, run.of(type_)), None)) is None:
            assert time.monotonic() < end, f"no {type_}: {run.stdout.decode()[-3000:]}"
            assert run.process.poll() is None, f"no {type_}: {run.stdout.decode()[-3000:]} {run.stderr}"
            time.sleep(0.01)
        return found

    return await anyio.to_thread.run_sync(look)


async def ended(run: RealRun) -> int:
    """Wait for the end and return the exit code."""
    return await anyio.to_thread.run_sync(partial(run.process.wait, PATIENCE))


@asynccontextmanager
async def resuming(engine: str, image: str) -> AsyncIterator[Resuming]:
    """Give a bucket with films, and the settings of a run that mounts it and scans it slowly in a container."""
    async with stack({"readme.txt": 10}) as there, lab(engine, image, films=0) as here:
        await anyio.to_thread.run_sync(
            partial(make_media_tree, there.bucket, movies=FILMS, episodes=0, tracks=0, photos=0, seed=1)
        )
        await there.serve()
        yield Resuming(there, here, _settings(there, here))


def _settings(there: Stack, here: Lab) -> Path:
    knobs = ("--knob", "item_seconds=12", "--knob", "analyze_new=false")
    environment = here.spec("--sections", "auto", *knobs).environment
    words = json.dumps([f"{name}={value}" for name, value in environment])
    file = here.root / "plexsuper.toml"
    file.write_text(
        f"""
        profile = "local_quick"
        state_dir = "{there.root}/state"
        [plex]
        runtime = "docker"
        url = "http://127.0.0.1:{here.port}"
        config_dir = "{here.layout.data}"
        stop_patience = 20
        [plex.docker]
        image = "{here.image}"
        container = "{here.name}"
        media = "/srv/media"
        environment = {words}
        [media]
        path = "{there.point}"
        kind = "rclone"
        remote = "s3:media"
        rclone = "{there.rclone.path}"
        rclone_config = "{there.config}"
        flags = ["--vfs-cache-min-free-space=off"]
        [timing]
        quiet_window = 0.5
        poll_every = 2.0
        """
    )
    return file
