"""Runs a simulated Plex as a process of its own, with a media tree of small real files."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexsuper.simulator.identity import Account
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.truth import Entry, load

TOKEN = Account().token
PATIENCE = 60.0

QUICK = ("refused_seconds=0", "maintenance_seconds=0.1", "starting_seconds=0.1", "butler_every=0")
"""Knobs of a server that is up at once and does nothing by itself."""


@dataclass
class Simulator:
    """A running simulator process."""

    process: "subprocess.Popen[bytes]"
    layout: Layout
    media: Path
    port: int
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def truth(self, what: str = "", **facts: Any) -> list[Entry]:
        """Return what the simulator recorded of itself."""
        if not self.layout.truth.exists():
            return []
        return [
            entry
            for entry in load(self.layout.truth)
            if entry["what"].startswith(what) and all(entry.get(key) == value for key, value in facts.items())
        ]

    def wait_for(self, what: str, number: int = 1, **facts: Any) -> list[Entry]:
        """Wait until the simulator has recorded so many entries."""
        end = time.monotonic() + PATIENCE
        while len(found := self.truth(what, **facts)) < number:
            assert time.monotonic() < end, f"no {number} x {what} {facts}; {self.output.read_text()[-2000:]}"
            assert self.process.poll() is None or what.startswith("server."), self.output.read_text()[-2000:]
            time.sleep(0.02)
        return found

    def scanners(self) -> dict[int, list[str]]:
        """Return the arguments of this server's children, as every process list shows them."""
        return {pid: argv for pid in children_of(self.pid) if (argv := cmdline(pid))}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the server and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def cmdline(pid: int) -> list[str]:
    """Return the arguments of a process, without any care for trailing ones."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
        return os.fsdecode(text).split("\0")[:-1]
    return []


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def write_media(media: Path, *, films: int = 3, tracks: int = 4) -> None:
    """Write a small tree; one name has an apostrophe and an accent in it."""
    for number in range(films):
        folder = media / "Movies" / f"L'Été {number} (2001)"
        folder.mkdir(parents=True)
        (folder / f"L'Été {number} (2001).mkv").write_bytes(b"film")
    for number in range(tracks):
        folder = media / "Music" / "Artist" / "Album"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number + 1:02d} - Track {number + 1}.mp3").write_bytes(b"track")


@contextlib.contextmanager
def simulator(
    home: Path, *options: str, knobs: Sequence[str] = QUICK, sections: str = "auto", ready: bool = True
) -> Iterator[Simulator]:
    """Start a server over *home*/data and *home*/media and give it when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    media = home / "media"
    command = [sys.executable, "-m", "plexsuper.simulator", "--data", str(home / "data")]
    command += ["--media", str(media), "--sections", sections, "--port", str(port)]
    command += ["--time-scale", "4", *options]
    for knob in knobs:
        command += ["--knob", knob]
    output = home / "output"
    with output.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    found = Simulator(process, Layout(home / "data"), media, port, output)
    try:
        if ready:
            before = json.dumps(found.truth("server.ready")).count("server.ready")
            found.wait_for("server.ready", before + 1)
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
