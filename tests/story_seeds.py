"""Random worlds by seed: whole runs in them, and what the simulator's own record says about what plexsuper believed.

Every knob that is not certain is drawn from a range that is wide at both ends. The ranges end where no observer
could tell the difference any more:

* Plex pauses for at most 8 s between two things it does for one request (real servers showed about 2 s);
  whoever pauses for a minute without any sign cannot be told from one that is done.
* Where notifications are refused or lost, or no activity tells of a scan, one that moves no `scannedAt` takes
  at least 1.5 s: one that is shorter than the time between two looks and leaves no trace was never there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.simulator.truth import Entry
from plexsuper.terms import Outcome, Phase, Stage
from tests.story import Story, play

OWN = {
    Phase.SCAN: ("scan", "metadata"),
    Phase.ANALYZE: ("analysis",),
    Phase.REFRESH: ("scan", "metadata"),
    Phase.SONIC: ("sonic",),
}
"""The work that a phase asks for, in the words of the record."""

ALL = ("scan", "metadata", "analysis", "sonic")

PAUSE = 8.0
"""The longest time between two things that Plex does for one request."""

LINGER = 40.0
"""Seconds for which a world goes on after the run, so that work which was not waited for shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A world and a run in it."""

    seed: int
    shelves: tuple[Shelf, ...]
    knobs: Knobs
    account: Account
    refresh: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A stretch of work of one section, as the simulator recorded it; `end` is infinite if it never ended."""

    kind: str
    section: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One phase as it was waited for: `idle` are the seconds before its end in which Plex did nothing for it."""

    section: str
    phase: Phase
    idle: float


@dataclass(slots=True, kw_only=True)
class Findings:
    """What the record says about a run; `faults` is empty when everything is as it should be."""

    faults: list[str] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)


def draw(seed: int) -> Draw:
    """Return the world of *seed*."""
    rng = random.Random(seed)
    types = [rng.choice(tuple(SectionType)) for _ in range(rng.randint(1, 4))]
    shelves = tuple(
        Shelf(f"{type_.value.title()}{number}", type_, known=_size(rng), new=_size(rng))
        for number, type_ in enumerate(types)
    )
    return Draw(
        seed=seed,
        shelves=tuple(
            shelf if shelf.known + shelf.new else Shelf(shelf.title, shelf.type, known=1) for shelf in shelves
        ),
        knobs=_knobs(rng, shelves),
        account=Account(plex_pass=rng.random() < 0.8),
        refresh=rng.random() < 0.3,
    )


async def remember_preferences(story: Story) -> None:
    """Note Plex's preferences before and after the run, for `findings` to compare."""
    await story.until(e.TokenFound)
    assert story.world.server.life is not None
    story.preferences_before = dict(story.world.server.life.file.values)
    await story.until(e.PrefsRestored)
    story.preferences_after = dict(story.world.server.life.file.values)


def play_draw(drawn: Draw, state_dir: Path) -> Story:
    """Play the run of *drawn*."""
    return play(
        *drawn.shelves,
        meanwhile=remember_preferences,
        knobs=drawn.knobs,
        account=drawn.account,
        seed=drawn.seed,
        state_dir=state_dir,
        linger=LINGER,
        run={"refresh": drawn.refresh},
    )


def findings(story: Story) -> Findings:
    """Compare what plexsuper told with what the simulator recorded."""
    found = Findings()
    jobs = tuple(_jobs(story.world.truth.entries))
    if story.conclusion is None or story.conclusion.exit_code is not ExitCode.DONE:
        found.faults.append(f"the run ended badly: {story.conclusion and story.conclusion.detail}")
    if not story.preferences_before or story.preferences_after != story.preferences_before:
        found.faults.append("the preferences are not as before")
    found.faults += _overlaps(story, jobs)
    for title, phase, outcome, begun, ended in _phases(story):
        section = story.world.sections[title]
        mine = [job for job in jobs if job.section == section]
        if outcome is Outcome.DONE:
            found.faults += [
                f"{title} {phase}: done at {ended:.2f}, but {job.kind} ran {job.start:.2f} - {job.end:.2f}"
                for job in mine
                if job.kind in OWN[phase]
                and job.end > ended + 1e-3
                and job.start < _next_cause(story, section, ended)
            ]
        if outcome in (Outcome.DONE, Outcome.SKIPPED) and ended > begun:
            last = max(
                (min(job.end, ended) for job in mine if begun < job.end and job.start < ended), default=begun
            )
            found.waits.append(Wait(section=title, phase=phase, idle=ended - last))
    return found


def _size(rng: random.Random) -> int:
    return rng.choice((0, 0, 1, 2, rng.randint(3, 12)))


def _knobs(rng: random.Random, shelves: tuple[Shelf, ...]) -> Knobs:
    """Draw every knob that a completion depends on; half of the worlds have trustworthy notifications."""
    jitter = rng.choice((0.0, rng.uniform(0, 0.4)))
    knobs: dict[str, Any] = {
        **_of_the_start(rng),
        **_of_scans(rng),
        **_of_analyses(rng),
        **_of_notifications(rng),
        "metadata_gap": rng.uniform(0, PAUSE / (1 + jitter)),
        "analysis_gap": rng.uniform(0, PAUSE / (1 + jitter)),
        "jitter": jitter,
        "answer_delay": rng.choice((0.0, 0.0, rng.uniform(0, 1.5))),
        "butler_row": rng.random() < 0.7,
        "butler_every": rng.choice((0.0, rng.uniform(5, 120))),
        "butler_items": rng.randint(1, 5),
        "butler_seconds": rng.uniform(0.1, 10),
    }
    if any(shelf.type is SectionType.PHOTO for shelf in shelves):  # without an agent, both pauses are one
        knobs["analysis_gap"] = min(knobs["analysis_gap"], PAUSE / (1 + jitter) - knobs["metadata_gap"])
    missed = knobs["frame_loss"] or knobs["sockets_refused"] or knobs["socket_life"]
    blind = missed or not knobs["scan_activity"]
    if blind and not knobs["quiet_scan_moves_scanned_at"]:
        knobs["scan_seconds"] = max(knobs["scan_seconds"], 1.5)
    return Knobs(**knobs)


def _of_the_start(rng: random.Random) -> dict[str, Any]:
    get_refresh = rng.random() < 0.8
    return {
        "refused_seconds": rng.uniform(0, 3),
        "maintenance_seconds": rng.choice((0.0, rng.uniform(0, 60))),
        "starting_seconds": rng.uniform(0, 5),
        "get_refresh": get_refresh,
        "wrong_method_status": rng.choice((404, 405)) if get_refresh else 405,
        "unknown_preference": rng.choice((200, 400, 403)),
        "total_size_always": rng.random() < 0.5,
        "trash_is_listed": rng.random() < 0.5,
    }


def _of_scans(rng: random.Random) -> dict[str, Any]:
    return {
        "parallel_scans": rng.randint(1, 4),
        "queue_seconds": rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 15))),
        "queued_is_refreshing": rng.random() < 0.3,
        "scan_seconds": rng.choice((0.02, rng.uniform(0.02, 1), rng.uniform(0, 8))),
        "folder_seconds": rng.uniform(0, 0.05),
        "file_seconds": rng.uniform(0, 0.01),
        "item_seconds": rng.choice((0.01, rng.uniform(0.01, 1.5))),
        "cancel_at_once": rng.random() < 0.5,
        "quiet_scan_moves_scanned_at": rng.random() < 0.5,
        "scan_activity": rng.random() < 0.85,
        "scan_cancellable": rng.random() < 0.5,
        "context_on_ended": rng.random() < 0.5,
        "metadata_seconds": rng.choice((0.05, rng.uniform(0.05, 6))),
        "metadata_parallel": rng.randint(1, 6),
        "metadata_after_scan": rng.random() < 0.5,
    }


def _of_analyses(rng: random.Random) -> dict[str, Any]:
    return {
        "analyze_new": rng.random() < 0.7,
        "analysis_seconds": rng.choice((0.02, rng.uniform(0.02, 3))),
        "analysis_batch": rng.randint(1, 20),
        "analysis_activity": rng.choice(("library.refresh.items", "media.generate.bif", "")),
        "analyze_all": rng.random() < 0.3,
        "analysis_failures": rng.choice((0.0, 0.0, rng.uniform(0, 0.5))),
        "sonic_seconds": rng.choice((0.02, rng.uniform(0.02, 3))),
        "sonic_bumps": rng.random() < 0.5,
        "sonic_obeys_behaviour": rng.random() < 0.5,
        "sonic_process": rng.random() < 0.5,
    }


def _of_notifications(rng: random.Random) -> dict[str, Any]:
    knobs = {
        "update_every": rng.uniform(0.2, 5),
        "frame_loss": 0.0,
        "socket_life": 0.0,
        "sockets_refused": False,
    }
    trouble = rng.choice(("", "", "", "loss", "cuts", "loss and cuts", "refused"))
    if "loss" in trouble:
        knobs["frame_loss"] = rng.uniform(0, 0.9)
    if "cuts" in trouble:
        knobs["socket_life"] = rng.uniform(2, 60)
    knobs["sockets_refused"] = trouble == "refused"
    return knobs


def _jobs(entries: list[Entry]) -> Iterator[Job]:
    """Return the work of sections, in the order in which it started."""
    ends = {
        entry["job"]: entry["mono"]
        for entry in entries
        if "job" in entry and entry["what"].endswith(".ended")
    }
    for entry in entries:
        kind, _, moment = entry["what"].rpartition(".")
        if moment == "started" and kind in ALL:
            yield Job(kind, entry["section"], entry["mono"], ends.get(entry["job"], float("inf")))


def _phases(story: Story) -> Iterator[tuple[str, Phase, Outcome, float, float]]:
    begun: dict[tuple[str, Phase], float] = {}
    for fact, at in zip(story.facts, story.times, strict=True):
        match fact:
            case e.SectionPhaseStarted():
                begun[fact.section.title, fact.phase] = at
            case e.SectionPhaseFinished(report=report):
                title = fact.section.title
                yield title, report.phase, report.outcome, begun.get((title, report.phase), at), at
            case _:
                continue


def _next_cause(story: Story, section: int, after: float) -> float:
    """Return when somebody asked for more work: what starts from then on has another cause."""
    truth = story.world.truth
    causes = [*truth.of("scan.asked", section=section), *truth.of("butler.started", by_itself=True)]
    return min((entry["mono"] for entry in causes if entry["mono"] > after), default=float("inf"))


def _overlaps(story: Story, jobs: tuple[Job, ...]) -> list[str]:
    """Return the work of a section that was under way while plexsuper was busy with another one."""
    titles = {number: title for title, number in story.world.sections.items()}
    begun: dict[int, float] = {}
    spans = []
    sonic = [(begun, ended) for _, phase, _, begun, ended in _phases(story) if phase is Phase.SONIC]
    for fact, at in zip(story.facts, story.times, strict=True):
        match fact:
            case e.SectionStarted():
                begun[fact.section.id] = at
            case e.SectionFinished():
                spans.append((fact.section.id, begun[fact.section.id], at))
            case _:
                continue
    quiet = story.at(e.StageFinished, lambda fact: fact.stage is Stage.QUIET)
    return [
        f"{job.kind} of {titles[job.section]} ran {job.start:.2f} - {job.end:.2f} in the time of {titles[section]}"
        f" ({start:.2f} - {end:.2f})"
        for section, start, end in spans
        for job in jobs
        if job.section != section
        and job.start < end - 1e-3
        and job.end > start + 1e-3
        and job.start > quiet
        # the sonic task is one for all music sections
        and not (
            job.kind == "sonic" and any(begun <= job.start and job.end <= ended for begun, ended in sonic)
        )
    ]
