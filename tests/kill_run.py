"""Runs as real processes that are killed at a chosen moment and started again, in a place of their own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexsuper.journal import RunRecord, read, runs
from plexsuper.paths import PlexPaths
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.media.making import make_media_tree
from plexsuper.simulator.real import free_port
from plexsuper.simulator.truth import Entry, load
from tests.real_run import Line, RealRun, command
from tests.real_simulator import QUICK

SCALE = "8"
PATIENCE = 90.0
KNOBS = (*QUICK, "item_seconds=3", "analysis_seconds=1")
SECTIONS = {"Movies": "movie", "Music": "artist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """When a run is killed: *after* seconds behind the first line that is *wanted*, or behind its *number*-th line."""

    name: str
    wanted: Callable[[Line], bool] = lambda _: False
    number: int = 0
    after: float = 0.0

    def is_due(self, lines: list[Line]) -> bool:
        return any(map(self.wanted, lines)) or 0 < self.number <= len(lines)


def at(type_: str, after: float = 0.0, **data: Any) -> Kill:
    """Return the moment at which such a line is out; `section` is compared by title."""

    def wanted(line: Line) -> bool:
        told = {**line["data"], "section": (line["section"] or {}).get("title")}
        return line["type"] == type_ and all(told.get(key) == value for key, value in data.items())

    return Kill(name=" ".join((type_, *map(str, data.values()))), wanted=wanted, after=after)


def after_lines(number: int, after: float = 0.0) -> Kill:
    return Kill(name=f"line {number} + {after:.2f} s", number=number, after=after)


@dataclass(slots=True)
class Place:
    """Media, a simulated server and plexsuper's state, all below `root`; `tables` are the settings of every run there."""

    root: Path
    tables: dict[str, dict[str, Any]]
    argv: list[str]
    environment: dict[str, str]
    server: "subprocess.Popen[bytes] | None" = None
    started: int = 0

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def away(self) -> Path:
        """Where the media are while storage is gone."""
        return self.root / "away"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def paths(self) -> PlexPaths:
        return PlexPaths.below(self.root / "data")

    @property
    def archive(self) -> Path:
        return self.root / "home.tar.zst"

    @contextmanager
    def run(self, *flags: str) -> Iterator[RealRun]:
        """Start the same run once more, with *flags*; its output goes to a directory of its own."""
        self.started += 1
        out = self.root / f"out-{self.started}"
        out.mkdir()
        with (out / "stdout").open("wb") as stdout, (out / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [*self.argv, *flags], cwd=self.root, env=self.environment, stdout=stdout, stderr=stderr
            )
        try:
            yield RealRun(process, out)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def killed(self, kill: Kill) -> list[Line]:
        """Run until *kill* is due, or to the end; return what it had told. Nothing of it is cleaned up."""
        with self.run() as run:
            end = time.monotonic() + PATIENCE
            while not kill.is_due(run.lines) and run.process.poll() is None:
                assert time.monotonic() < end, f"{kill.name}: {run.stdout.decode()[-2000:]}"
                time.sleep(0.005)
            if kill.after:
                time.sleep(kill.after)  # a moment that no line tells of
            run.process.kill()
            run.process.wait()
            return run.lines

    def killed_frozen(self) -> Line:
        """Take storage away in the first phase and kill the run as soon as Plex stands still; return what told of that."""
        with self.run() as run:
            run.wait_until("section.phase.started")
            self.media.rename(self.away)
            frozen = run.wait_until("plex.frozen")
            run.send(signal.SIGKILL)
            run.end()
        return frozen

    def completed(self) -> RealRun:
        """Run to the end, which must be a good one."""
        with self.run() as run:
            code = run.process.wait(PATIENCE)
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        return run

    def truth(self, what: str) -> list[Entry]:
        file = Layout(self.root / "data").truth
        return [entry for entry in load(file) if entry["what"] == what] if file.exists() else []

    def journal(self) -> tuple[RunRecord, ...]:
        return runs(self.state)

    def done(self) -> set[str]:
        """The sections that are done by the word of the journal."""
        lines = [json.loads(line) for record in self.journal() for line in read(self.state, record.id)]
        return {line["section"]["title"] for line in lines if line["type"] == "section.finished"}


def leave_drafts(here: Place) -> tuple[Path, ...]:
    """Leave what is left of both archives by a run that is killed while it writes them, and return the names."""
    drafts = (here.root / ".home.tar.zst.partial", here.root / ".home.checkpoint.tar.zst.partial")
    for draft in drafts:
        draft.write_bytes(b"half")
    return drafts


def _server(root: Path, port: int, knobs: tuple[str, ...]) -> list[str]:
    words = [sys.executable, "-m", "plexsuper.simulator", "--data", str(root / "data"), "--port", str(port)]
    words += ["--time-scale", SCALE]
    return [*words, *(word for knob in knobs for word in ("--knob", knob))]


@contextmanager
def place(
    root: Path,
    *,
    owned: bool = True,
    films: int = 3,
    knobs: tuple[str, ...] = KNOBS,
    **more: Mapping[str, Any],
) -> Iterator[Place]:
    """Give a place in which a run can be killed; whatever still runs there afterwards is ended."""
    root.mkdir(exist_ok=True)
    make_media_tree(root / "media", movies=films, episodes=0, tracks=2, photos=0, seed=1)
    port = free_port()
    definitions = root / "plex_libraries.json"
    wanted = [{"title": t, "type": k, "paths": [str(root / "media" / t)]} for t, k in SECTIONS.items()]
    definitions.write_text(json.dumps(wanted))
    server = _server(root, port, knobs)
    tables: dict[str, dict[str, Any]] = {
        "media": {"path": str(root / "media"), "every": 0.3, "patience": 20.0, "deadline": 2.0},
        "plex": {"url": f"http://127.0.0.1:{port}", "config_dir": str(root / "data")},
        "run": {"definitions": str(definitions)},
        "library": {"export": str(root / "home.tar.zst")},
    }
    if owned:
        tables["plex"]["command"] = server
    tables = {table: {**tables.get(table, {}), **more.get(table, {})} for table in {**tables, **more}}
    with ExitStack() as stack:
        argv, environment = stack.enter_context(command(root, tables))
        here = Place(root, tables, argv, environment | _own_scratch(root))
        if not owned:
            stack.callback(_end, here)
            with (root / "server.log").open("wb") as out:
                here.server = subprocess.Popen(server, stdout=out, stderr=subprocess.STDOUT)
            _wait(lambda: bool(here.truth("server.ready")), "the server is not ready")
        yield here


def _own_scratch(root: Path) -> dict[str, str]:
    """Return the environment by which temporary files lie where nobody else has any."""
    scratch = root / "tmp"
    scratch.mkdir(exist_ok=True)
    return {"TMPDIR": str(scratch)}


def _end(here: Place) -> None:
    if here.server is not None:
        here.server.send_signal(signal.SIGCONT)
        here.server.kill()
        here.server.wait()


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@contextmanager
def reconfigured(here: Place, **more: Mapping[str, Any]) -> Iterator[Place]:
    """Give the same place with other settings for the runs in it; an empty value takes a setting away."""
    merged = {t: {**here.tables.get(t, {}), **more.get(t, {})} for t in {**here.tables, **more}}
    tables = {t: {key: value for key, value in values.items() if value != ""} for t, values in merged.items()}
    with command(here.root, tables) as (argv, environment):
        yield Place(here.root, tables, argv, environment | _own_scratch(here.root), here.server, here.started)
