"""Runs plexsuper against a simulated Plex in a process of its own: CPU time, memory and start-up of the supervisor."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.real_simulator import TOKEN, Simulator, simulator, write_media

FILMS, TRACKS = 40, 60

CPU_GOAL, RSS_GOAL, HELP_GOAL = 0.005, 80.0, 0.3


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one run cost: seconds of CPU time, MiB, seconds."""

    wall: float
    cpu: float
    cpu_at_start: float
    peak: float
    peak_with_helper: float
    exit_code: int
    events: Counter[str] = field(default_factory=Counter)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long Plex has work (default 2)")
    given = parser.parse_args()
    bare, help_ = _start_up()
    print(
        f"start-up: bare Python {bare:.3f} s, plexsuper --help {help_:.3f} s = {help_ / bare:.1f} times (goal {HELP_GOAL} s)"
    )
    with tempfile.TemporaryDirectory() as home:
        measured = _run(Path(home), 60 * given.minutes)
    for line in _report(measured):
        print(line)
    share = measured.cpu / measured.wall
    good = (
        measured.exit_code == 0
        and share <= CPU_GOAL
        and measured.peak_with_helper <= RSS_GOAL
        and help_ <= HELP_GOAL
    )
    return 0 if good else 1


def _start_up(times: int = 9) -> tuple[float, float]:
    """Return the median seconds of a bare interpreter and of `plexsuper --help`, measured in turns."""
    commands = [[sys.executable, "-c", "pass"], [sys.executable, "-m", "plexsuper", "--help"]]
    taken: list[list[float]] = [[], []]
    for _ in range(times):
        for command, seconds in zip(commands, taken, strict=True):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    return statistics.median(taken[0]), statistics.median(taken[1])


def _run(home: Path, seconds: float) -> Measured:
    """Play a run in which Plex has work for about *seconds*."""
    write_media(home / "media", films=FILMS, tracks=TRACKS)
    files = FILMS + TRACKS
    knobs = (
        "maintenance_seconds=0.5",
        "butler_every=0",
        f"item_seconds={0.1 * seconds / files}",
        f"metadata_seconds={3 * 0.2 * seconds / files}",
        f"analysis_seconds={0.4 * seconds / files}",
        f"sonic_seconds={0.3 * seconds / TRACKS}",
    )
    with simulator(home, "--time-scale", "1", knobs=knobs) as plex:
        return _supervise(home, plex)


def _supervise(home: Path, plex: Simulator) -> Measured:
    settings = home / "plexsuper.toml"
    settings.write_text(
        f'state_dir = "{home / "state"}"\n'
        f'[plex]\nurl = "{plex.url}"\nconfig_dir = "{home / "data"}"\n'
        f'[media]\npath = "{plex.media}"\n'
    )
    command = [sys.executable, "-m", "plexsuper", "run", "--config", str(settings), "--events", "jsonl"]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PLEX_TOKEN": TOKEN})
    memory = _Memory(child.pid)
    events: Counter[str] = Counter()
    at_start = 0.0
    assert child.stdout is not None
    for line in child.stdout:
        kind = json.loads(line)["type"]
        at_start = at_start or sum(psutil.Process(child.pid).cpu_times()[:2])
        events[kind] += 1
        if kind == "run.finished":
            memory.stop()
    _, status, usage = os.wait4(child.pid, 0)  # with the helpers it has waited for
    return Measured(
        wall=time.perf_counter() - began,
        cpu=usage.ru_utime + usage.ru_stime,
        cpu_at_start=at_start,
        peak=usage.ru_maxrss / 1024,
        peak_with_helper=memory.peak,
        exit_code=os.waitstatus_to_exitcode(status),
        events=events,
    )


class _Memory:
    """Watches the memory of a process and its children, twice a second, in MiB."""

    def __init__(self, pid: int) -> None:
        self.peak = 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(member.memory_info().rss for member in family) / 2**20)
            except psutil.NoSuchProcess:
                continue  # one of them has just ended


def _report(measured: Measured) -> list[str]:
    share = measured.cpu / measured.wall
    running = (measured.cpu - measured.cpu_at_start) / measured.wall
    ten = (measured.cpu_at_start + running * 600) / 600
    return [
        f"run: {measured.wall:.0f} s, exit code {measured.exit_code}, {measured.events.total()} events: "
        + ", ".join(f"{kind} {count}" for kind, count in measured.events.most_common(6)),
        (
            f"CPU: {measured.cpu:.2f} s = {100 * share:.2f} % of one core (goal {100 * CPU_GOAL} %); "
            f"{measured.cpu_at_start:.2f} s of it until the first event, {100 * running:.2f} % after it; "
            f"a run of ten minutes at this rate: {100 * ten:.2f} %"
        ),
        f"memory: peak {measured.peak:.0f} MiB, with its helper {measured.peak_with_helper:.0f} MiB (goal {RSS_GOAL:.0f} MiB)",
    ]


if __name__ == "__main__":
    sys.exit(main())
