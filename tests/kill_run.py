"""Runs that are killed at a chosen moment and started again, and everything that may differ from an undisturbed one.

Real processes throughout; the library is read with SQLite, the preferences over HTTP or from Plex's own file, the
archive with its reader, and what Plex did from the simulator's record.
"""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from plexsuper.clients.mounts import read_mounts
from plexsuper.database.inject import verify_archive
from plexsuper.journal import RunRecord, read, runs
from plexsuper.paths import PlexPaths
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.media import make_media_tree
from plexsuper.simulator.real import free_port
from plexsuper.simulator.truth import Entry, load
from tests.real_run import Line, RealRun, command, processes_of
from tests.real_simulator import QUICK

SCALE = "8"
PATIENCE = 90.0
KNOBS = (*QUICK, "item_seconds=3", "analysis_seconds=1")
SECTIONS = {"Movies": "movie", "Music": "artist"}
_ROWS = """
SELECT i.library_section_id, i.metadata_type, i.guid, i.title, i.deleted_at IS NULL, m.deleted_at IS NULL,
       coalesce(m.media_analysis_version, 0) > 0, p.file, p.deleted_at IS NULL
FROM metadata_items AS i LEFT JOIN media_items AS m ON m.metadata_item_id = i.id
LEFT JOIN media_parts AS p ON p.media_item_id = m.id
"""
_OF_THE_SERVER = {"MachineIdentifier", "ProcessedMachineIdentifier", "AnonymousMachineIdentifier", "CertificateUUID"}


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
    between: list[Callable[["Place"], None]] = field(default_factory=list)

    @property
    def media(self) -> Path:
        return self.root / "media"

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
    def run(self) -> Iterator[RealRun]:
        """Start the same run once more; its output goes to a directory of its own."""
        self.started += 1
        out = self.root / f"out-{self.started}"
        out.mkdir()
        with (out / "stdout").open("wb") as stdout, (out / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                self.argv, cwd=self.root, env=self.environment, stdout=stdout, stderr=stderr
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
        here = Place(root, tables, argv, environment)
        if not owned:
            stack.callback(_end, here)
            with (root / "server.log").open("wb") as out:
                here.server = subprocess.Popen(server, stdout=out, stderr=subprocess.STDOUT)
            _wait(lambda: bool(here.truth("server.ready")), "the server is not ready")
        yield here


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


def library(here: Place) -> list[tuple[Any, ...]]:
    """Return everything that counts of the library, without the names of places; sorted."""
    with closing(sqlite3.connect(f"file:{here.paths.library_db}?mode=ro", uri=True)) as conn:
        rows = conn.execute(_ROWS).fetchall()
    return sorted(
        (tuple(str(value).replace(str(here.root), "") for value in row) for row in rows), key=repr
    )


def preferences(here: Place) -> dict[str, str]:
    """Return Plex's settings as its own file has them; only what differs from the defaults is in it."""
    values = dict(ET.parse(here.paths.preferences_xml).getroot().attrib)
    return {key: value for key, value in values.items() if key not in _OF_THE_SERVER}


def names_in(here: Place) -> set[str]:
    """Return what lies in the places where plexsuper works, but for its runs and the tests' own output."""
    state = {f"state/{entry.name}" for entry in here.state.iterdir()} if here.state.exists() else set()
    databases = here.paths.databases
    beside = {f"databases/../{e.name}" for e in databases.parent.iterdir()}
    inside = {f"databases/{e.name}" for e in databases.iterdir() if not e.name.endswith(("-wal", "-shm"))}
    snapshots = {
        f"snapshots/{e.name}" for e in databases.parent.glob("*.snapshots/*") if not e.name.startswith(".lock")
    }
    own = {f"root/{e.name}" for e in here.root.iterdir() if not e.name.startswith("out-")}
    own -= {"root/home.checkpoint.tar.zst"}  # not written again for what a killed process had done
    return state | beside | inside | snapshots | own


def outcome(here: Place) -> dict[str, Any]:
    """Return everything in which a run that was killed and went on may not differ from an undisturbed one."""
    statistics = verify_archive(here.archive).statistics
    serving = {} if here.server is None else {here.server.pid}
    return {
        "library": library(here),
        "preferences": preferences(here),
        "archive": None if statistics is None else statistics.total,
        "names": names_in(here),
        "processes": {pid: argv for pid, argv in processes_of(here.root).items() if pid not in serving},
        "stopped": [pid for pid in serving if _state(pid) in "Tt"],
        "mounts": [mount.point for mount in read_mounts() if mount.point.startswith(f"{here.root}/")],
    }


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def settled(here: Place, grace: float = 3.0) -> dict[str, Any]:
    """Return the outcome when helpers that are just ending are gone, at the latest after *grace* seconds."""
    end = time.monotonic() + grace
    while (found := outcome(here))["processes"] and time.monotonic() < end:
        time.sleep(0.02)
    return found


def faults(here: Place, kills: list[Kill], undisturbed: dict[str, Any]) -> list[str]:
    """Kill the run of *here* at each of *kills*, let it come to its end, and say what is not as it should be."""
    for kill in kills:
        here.killed(kill)
        for deed in here.between:
            deed(here)
    begun = [record for record in here.journal() if record.started is not None]
    ended = bool(begun) and begun[-1].verdict is not None
    done, scans = here.done(), len(here.truth("scan.asked"))
    run = here.completed()
    found = [
        f"{key}: {now} instead of {undisturbed[key]}"
        for key, now in settled(here).items()
        if now != undisturbed[key]
    ]
    if ended:
        return found  # it was quicker than we: what came then is a run of its own
    if begun and not run.of("run.resumed"):
        found.append("it did not say that it goes on")
    (finished,) = run.of("run.finished")
    if finished["data"]["verdict"] != "done":
        found.append(f"the verdict is {finished['data']['verdict']}: {finished['data']['detail']}")
    titles = {report["section"]["title"] for report in finished["data"]["sections"]}
    if titles != set(SECTIONS):
        found.append(f"the verdict tells of {titles}")
    again = [entry for entry in here.truth("scan.asked")[scans:] if title(here, entry["section"]) in done]
    if again:
        found.append(f"sections that were done are scanned again: {again}")
    return found + _interrupted(here, run, scans)


def _interrupted(here: Place, run: RealRun, scans: int) -> list[str]:
    """Say if the section that was in hand was not scanned into every folder."""
    resumed = run.of("run.resumed")
    section = resumed[0]["data"]["interrupted"] if resumed else None
    if section is None:
        return []
    asked = [e for e in here.truth("scan.asked")[scans:] if title(here, e["section"]) == section["title"]]
    if not asked or not asked[0]["force"]:
        return [f"{section['title']} was interrupted, and its scan was {asked[:1]}"]
    return []


def title(here: Place, section: int) -> str:
    return next((e["title"] for e in here.truth("section.created") if e["section"] == section), str(section))


@contextmanager
def reconfigured(here: Place, **more: Mapping[str, Any]) -> Iterator[Place]:
    """Give the same place with other settings; runs from now on have them."""
    tables = {table: {**here.tables.get(table, {}), **more.get(table, {})} for table in {**here.tables, **more}}
    with command(here.root, tables) as (argv, environment):
        yield Place(here.root, tables, argv, environment, here.server, here.started)


def undisturbed(root: Path, *, owned: bool) -> dict[str, Any]:
    """Return the outcome of a run that nobody disturbs."""
    with place(root, owned=owned) as here:
        here.completed()
        return settled(here)


def all_faults(
    root: Path, cases: Mapping[str, tuple[bool, list[Kill]]], fine: Mapping[bool, dict[str, Any]], *, at_once: int = 3
) -> dict[str, list[str]]:
    """Kill a run of its own for each of *cases* (name → whether Plex is its own, and when), some at once.

    Returns the faults of those that have any. *fine* are the outcomes of undisturbed runs.
    """

    def one(number: int, owned: bool, kills: list[Kill]) -> list[str]:
        with place(root / f"{number:04d}-case", owned=owned) as here:
            return faults(here, kills, fine[owned])

    with ThreadPoolExecutor(at_once) as pool:
        started = {
            name: pool.submit(one, number, owned, kills)
            for number, (name, (owned, kills)) in enumerate(cases.items())
        }
        return {name: found for name, future in started.items() if (found := _result(future))}


def _result(future: "Future[list[str]]") -> list[str]:
    error = future.exception()
    return future.result() if error is None else [f"{type(error).__name__}: {error}"[:4000]]
