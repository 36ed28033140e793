"""Everything in which a run that was killed and went on may not differ from an undisturbed one."""

import sqlite3
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from plexsuper.clients.mounts.table import read_mounts
from plexsuper.database.archive.inject import verify_archive
from tests.kill_run import SECTIONS, Kill, Place, place
from tests.real_run import RealRun, processes_of

_ROWS = """
SELECT i.library_section_id, i.metadata_type, i.guid, i.title, i.deleted_at IS NULL, m.deleted_at IS NULL,
       coalesce(m.media_analysis_version, 0) > 0, p.file, p.deleted_at IS NULL
FROM metadata_items AS i LEFT JOIN media_items AS m ON m.metadata_item_id = i.id
LEFT JOIN media_parts AS p ON p.media_item_id = m.id
"""
_OF_THE_SERVER = {
    "MachineIdentifier",
    "ProcessedMachineIdentifier",
    "AnonymousMachineIdentifier",
    "CertificateUUID",
}


def library(here: Place) -> list[tuple[Any, ...]]:
    """Return everything that counts of the library, without the names of places; sorted."""
    with closing(sqlite3.connect(f"file:{here.paths.library_db}?mode=ro", uri=True)) as conn:
        rows = conn.execute(_ROWS).fetchall()
    return sorted((tuple(str(value).replace(str(here.root), "") for value in row) for row in rows), key=repr)


def preferences(here: Place) -> dict[str, str]:
    """Return Plex's settings as its own file has them; only what differs from the defaults is in it."""
    values = dict(ET.parse(here.paths.preferences_xml).getroot().attrib)
    return {key: value for key, value in values.items() if key not in _OF_THE_SERVER}


def names_in(here: Place) -> set[str]:
    """Return what lies in the places where plexsuper works, but for its runs and the tests' own output."""
    state = {f"state/{entry.name}" for entry in here.state.iterdir()} if here.state.exists() else set()
    databases = here.paths.databases
    beside = {
        f"databases/../{e.name}" for e in databases.parent.iterdir() if not e.name.endswith(".snapshots")
    }
    inside = {f"databases/{e.name}" for e in databases.iterdir() if not e.name.endswith(("-wal", "-shm"))}
    snapshots = {
        f"snapshots/{e.name}"
        for e in databases.parent.glob("*.snapshots/*")
        if not e.name.startswith(".lock")
    }
    own = {f"root/{e.name}" for e in here.root.iterdir() if not e.name.startswith("out-")}
    own -= {"root/home.checkpoint.tar.zst"}  # not written again for what a killed process had done
    scratch = {f"tmp/{e.name}" for e in (here.root / "tmp").iterdir()}
    return state | beside | inside | snapshots | own | scratch


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


def undisturbed(root: Path, *, owned: bool) -> dict[str, Any]:
    """Return the outcome of a run that nobody disturbs."""
    with place(root, owned=owned) as here:
        here.completed()
        return settled(here)


def all_faults(
    root: Path,
    cases: Mapping[str, tuple[bool, list[Kill]]],
    fine: Mapping[bool, dict[str, Any]],
    *,
    at_once: int = 3,
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
