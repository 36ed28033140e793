"""May a run that ended go on? A pure fold over what its journal holds, and the rule.

A run that was killed may go on. One that ended by itself may go on when what ended it can be mended from outside
(a signal, storage, Plex, a defect) and its database had been put in place and found sound, or when nothing was missing
but room for its archive. One after which `plexsuper tidy` has tidied up may go on as the killed one that it was.
One that came to its end, lost entries, or changed nothing yet is never taken up again.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from plexsuper import events as e
from plexsuper.terms import Outcome, Phase, SectionRef, SectionReport, Stage, Verdict

MENDABLE: Final = frozenset(
    {
        Verdict.INTERRUPTED,
        Verdict.SETTINGS,
        Verdict.PREFLIGHT,
        Verdict.STORAGE,
        Verdict.SERVER,
        Verdict.INTERNAL,
    }
)
"""Verdicts of runs that may go on; what ended them says nothing about the library."""

_SAME: Final = (
    ("plex", "runtime"),
    ("plex", "url"),
    ("plex", "config_dir"),
    ("plex", "docker", "container"),
    ("plex", "docker", "engine"),
    ("media", "path"),
    ("media", "kind"),
    ("media", "remote"),
    ("library", "archive"),
    ("run", "definitions"),
)
"""The settings that make it the same run: where Plex, media and library are; not paces, nor the chosen sections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """What a run had done when its journal ends.

    `done` are the sections that came through everything (not those set aside: they are tried again), each with its last
    report; `chosen` is how many there were to do. `interrupted` is the section in hand when it ended. `ended_by` says
    in words what ended it. `unsaved`: everything was done, but the library could not be written out (a full disk).
    `retried` are the analyses, by section id, whose leftovers were asked for once more.
    """

    run: str
    started: datetime
    last_ts: datetime
    done: tuple[SectionReport, ...] = ()
    chosen: int = 0
    interrupted: SectionRef | None = None
    stages: frozenset[Stage] = field(default_factory=frozenset)
    injected: bool = False
    unsaved: bool = False
    retried: frozenset[tuple[int, Phase]] = frozenset()
    snapshot: str | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    ended_by: str = "it was killed"

    @property
    def inputs_done(self) -> bool:
        """Whether images were pulled and questions answered."""
        return Stage.INPUTS in self.stages

    @property
    def database_done(self) -> bool:
        """Whether the library was in place and found sound before Plex was started."""
        return Stage.DATABASE in self.stages


def fold(run: str, facts: Iterable[tuple[datetime, e.Event]]) -> PastRun | None:
    """Return what *run* had done after *facts* with their times; None when there are none."""
    past: PastRun | None = None
    for ts, fact in facts:
        before = past or PastRun(run=run, started=ts, last_ts=ts)
        past = replace(_with(before, fact), last_ts=ts)
    return past


def why_not(past: PastRun) -> str:
    """Say why *past* may not go on, as the end of "it cannot go on: …"; empty when it may."""
    if past.verdict is None or (past.verdict in MENDABLE and past.database_done):
        return ""
    if past.verdict is Verdict.DATABASE and past.unsaved:
        return ""
    if past.verdict is Verdict.TIDIED:
        return "" if past.database_done or past.injected else "there was nothing to go on with"
    if past.verdict in MENDABLE:
        return "it ended before anything was done that need not be done again"
    return _WHY_NOT.get(past.verdict, "it ended before it changed anything")


def fingerprint(public: Mapping[str, Any]) -> str:
    """Return what makes a run the same one, from its settings as `Settings.public` gives them: JSON, to be compared."""
    return json.dumps({".".join(path): _at(public, path) for path in _SAME}, sort_keys=True)


def differences(one: str, other: str) -> tuple[str, ...]:
    """Return the settings by which two fingerprints differ."""
    first, second = json.loads(one or "{}"), json.loads(other or "{}")
    return tuple(sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key)))


_WHY_NOT: Final = {
    Verdict.DONE: "it came to its end",
    Verdict.SET_ASIDE: "it came to its end, with sections set aside",
    Verdict.LOSS: "it lost entries of the library: look at them first",
    Verdict.DATABASE: "the library database could not be trusted: it has to be checked anew",
}


def _with(past: PastRun, fact: e.Event) -> PastRun:  # noqa: C901 - one flat table of facts
    match fact:
        case e.RunStarted() | e.RunResumed():
            return replace(past, verdict=None, exit_code=None, unsaved=False, ended_by="it was killed")
        case e.StageFinished(stage=Stage.EXPORT, outcome=Outcome.FAILED):
            return replace(past, unsaved=True)
        case e.StageFinished(outcome=Outcome.DONE | Outcome.SKIPPED):
            return replace(past, stages=past.stages | {fact.stage})
        case e.LibraryInjected():
            return replace(past, injected=True)
        case e.SnapshotTaken():
            return replace(past, snapshot=str(fact.path))
        case e.SectionsChosen():
            return replace(
                past, chosen=len({s.id for s in fact.sections} | {r.section.id for r in past.done})
            )
        case e.SectionReopened():
            retried = frozenset(pair for pair in past.retried if pair[0] != fact.section.id)
            return replace(past, done=_without(past.done, fact.section), retried=retried)
        case e.SectionStarted():
            return replace(past, interrupted=fact.section, done=_without(past.done, fact.section))
        case e.SectionFilesRetried():
            return replace(past, retried=past.retried | {(fact.section.id, fact.phase)})
        case e.SectionFinished():
            return _section_finished(past, fact.report)
        case e.RunFinished():
            why = f"{fact.verdict.value}: {fact.detail}" if fact.detail else fact.verdict.value
            return replace(past, verdict=fact.verdict, exit_code=fact.exit_code, ended_by=why)
        case _:
            return past


def _section_finished(past: PastRun, report: SectionReport) -> PastRun:
    others = _without(past.done, report.section)
    if report.outcome is Outcome.DONE:
        return replace(past, done=(*others, report), interrupted=None)
    if report.outcome is Outcome.CANCELLED:
        return replace(past, done=others, interrupted=report.section)
    return replace(past, done=others, interrupted=None)


def _without(reports: tuple[SectionReport, ...], section: SectionRef) -> tuple[SectionReport, ...]:
    return tuple(report for report in reports if report.section.id != section.id)


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
