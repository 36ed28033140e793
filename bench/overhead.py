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

_COMPILED = """
import compileall, encodings, stringprep
import anyio, plexsuper.app, plexsuper.faces.report.page, typer, uvloop
for package in (anyio, encodings, plexsuper, typer):  # whole: a run loads some of it when it needs it
    compileall.compile_dir(package.__path__[0], quiet=1)
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds at one moment: of the supervisor with the helper that looks at storage, and of tools that have ended."""

    at: float
    own: float
    tools: float

    def since(self, before: "Spent") -> "Spent":
        """Return what was spent between *before* and this."""
        return Spent(self.at - before.at, self.own - before.own, self.tools - before.tools)


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one run cost; `marks` has what was spent at the first event of some kinds, memory is in MiB."""

    marks: dict[str, Spent] = field(default_factory=dict)
    at_work: Spent = field(default_factory=lambda: Spent(0, 0, 0))
    total: float = 0.0
    peak: float = 0.0
    peak_with_tools: float = 0.0
    exit_code: int = 0
    events: Counter[str] = field(default_factory=Counter)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long Plex has work (default 2)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        env = _as_installed(Path(home) / "bytecode")
        bare, help_ = _start_up(env)
        print(
            f"start-up: bare Python {bare:.3f} s, plexsuper --help {help_:.3f} s = {help_ / bare:.1f} times (goal {HELP_GOAL} s)",
            flush=True,
        )
        measured = _run(Path(home), 60 * given.minutes, env)
    for line in _report(measured):
        print(line)
    good = (
        measured.exit_code == 0
        and measured.at_work.own / measured.at_work.at <= CPU_GOAL
        and measured.peak <= RSS_GOAL
        and help_ <= HELP_GOAL
    )
    return 0 if good else 1


def _as_installed(bytecode: Path) -> dict[str, str]:
    """Return an environment in which everything is compiled already, as an installer leaves it."""
    env = {**os.environ, "PLEX_TOKEN": TOKEN, "PYTHONPYCACHEPREFIX": str(bytecode)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", _COMPILED], env=env, check=True)
    return env


def _start_up(env: dict[str, str], times: int = 9) -> tuple[float, float]:
    """Return the median CPU seconds of a bare interpreter and of `plexsuper --help`, measured in turns."""
    commands = [[sys.executable, "-c", "pass"], [sys.executable, "-m", "plexsuper", "--help"]]
    taken: list[list[float]] = [[], []]
    for _ in range(times + 1):
        for command, seconds in zip(commands, taken, strict=True):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, command
            seconds.append(usage.ru_utime + usage.ru_stime)
    return statistics.median(taken[0][1:]), statistics.median(taken[1][1:])  # the first time it is compiled


def _run(home: Path, seconds: float, env: dict[str, str]) -> Measured:
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
        return _supervise(home, plex, env)


def _supervise(home: Path, plex: Simulator, env: dict[str, str]) -> Measured:
    settings = home / "plexsuper.toml"
    settings.write_text(
        f'state_dir = "{home / "state"}"\n'
        f'[plex]\nurl = "{plex.url}"\nconfig_dir = "{home / "data"}"\n'
        f'[media]\npath = "{plex.media}"\n'
    )
    command = [sys.executable, "-m", "plexsuper", "run", "--config", str(settings), "--events", "jsonl"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
    process, memory, measured = psutil.Process(child.pid), _Memory(child.pid), Measured()
    assert child.stdout is not None
    for line in child.stdout:
        kind = json.loads(line)["type"]
        measured.events[kind] += 1
        if kind == "run.finished":
            memory.stop()
        elif kind not in measured.marks or kind == "section.finished":  # of these the last one counts
            measured.marks[kind] = _spent(process)
    _, status, usage = os.wait4(child.pid, 0)  # with the helpers it has waited for
    measured.at_work = measured.marks["section.finished"].since(measured.marks["sections.chosen"])
    measured.total = usage.ru_utime + usage.ru_stime
    measured.peak, measured.peak_with_tools = memory.peak, memory.peak_with_tools
    measured.exit_code = os.waitstatus_to_exitcode(status)
    return measured


def _spent(process: psutil.Process) -> Spent:
    times = process.cpu_times()
    own = times.user + times.system
    for child in process.children():
        try:
            own += sum(child.cpu_times()[:2]) if "probe_helper" in " ".join(child.cmdline()) else 0.0
        except psutil.NoSuchProcess:
            continue  # it has just ended
    return Spent(time.perf_counter(), own, times.children_user + times.children_system)


class _Memory:
    """Watches the memory of a process and its children, twice a second, in MiB; with and without database tools."""

    def __init__(self, pid: int) -> None:
        self.peak = self.peak_with_tools = 0.0
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
                tools = 0.0
                own = self._process.memory_info().rss / 2**20
                for child in self._process.children(recursive=True):
                    size = child.memory_info().rss / 2**20
                    if "probe_helper" in " ".join(child.cmdline()):
                        own += size
                    else:
                        tools += size
            except psutil.NoSuchProcess:
                continue  # one of them has just ended
            self.peak, self.peak_with_tools = max(self.peak, own), max(self.peak_with_tools, own + tools)


def _report(measured: Measured) -> list[str]:
    marks, work = measured.marks, measured.at_work
    start, chosen = marks["run.started"], marks["sections.chosen"]
    before = chosen.since(start)
    rest = measured.total - chosen.own - chosen.tools - work.own - work.tools
    most = ", ".join(f"{kind} {count}" for kind, count in measured.events.most_common(6))
    return [
        f"run: exit code {measured.exit_code}, {measured.events.total()} events: {most}",
        (
            f"CPU until the first event: {start.own:.2f} s; until Plex had work: {before.own:.2f} s more, and {before.tools:.2f} s "
            f"of database tools; after its work: {rest:.2f} s"
        ),
        (
            f"CPU while Plex worked ({work.at:.0f} s): {work.own:.2f} s = {100 * work.own / work.at:.2f} % of one core "
            f"(goal {100 * CPU_GOAL} %)"
        ),
        (
            f"memory: peak {measured.peak:.0f} MiB with the helper that looks at storage (goal {RSS_GOAL:.0f} MiB), "
            f"{measured.peak_with_tools:.0f} MiB while a database tool ran"
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
