"""What a run would do, in plain words, from what is known before anything is changed (`--dry-run`).

Pure. The sections are those of the library database; those that a definitions file adds come after them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plexsuper.decisions.course import Agenda
from plexsuper.decisions.selection import choose, named
from plexsuper.kinds import SectionType
from plexsuper.terms import Phase, Section, SectionDefinition

_PHASES = {
    Phase.SCAN: "scan",
    Phase.ANALYZE: "analysis",
    Phase.REFRESH: "metadata refresh",
    Phase.SONIC: "sonic analysis (if the server has Plex Pass)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outset:
    """What is known when a dry run ends.

    `command` is what starts the server, empty where it can only be attached to. `sections` are None when there is
    no library database to read them from; `wanted` are titles and ids, empty for all sections.
    """

    agenda: Agenda
    deep: bool
    media: str
    url: str
    command: str
    claims: bool
    sections: tuple[Section, ...] | None
    definitions: tuple[SectionDefinition, ...]
    wanted: tuple[str, ...]


def planned_steps(outset: Outset) -> tuple[str, ...]:
    """Return what a run would do next, step by step, each as what comes after "a run would".

    Raises:
        SettingsError: a wanted section neither exists nor would be created; with the nearest title.
    """
    return tuple(_steps(outset))


def _steps(outset: Outset) -> Iterator[str]:
    new = _missing(outset.definitions, outset.sections or ())
    yield f"prove by content that the media storage {outset.media} is there"
    started = f", or start it with: {outset.command}" if outset.command else ""
    yield f"attach to Plex at {outset.url}{started}"
    if outset.claims:
        yield "claim the server, if it is not claimed yet"
    yield "silence Plex's background work, and prove that its settings took"
    if outset.sections is None:
        yield from (_creation(definition, "if there is none yet") for definition in outset.definitions)
        yield from _unseen(outset)
    else:
        yield from (_creation(definition) for definition in new)
        for section in choose(_with(outset.sections, new), outset.wanted):
            yield _course(outset, section)
    yield "count the library again"
    yield "put every setting of Plex back as it was"
    if outset.command:
        yield "stop Plex again if it was started for the run"


def _missing(
    definitions: Sequence[SectionDefinition], sections: Sequence[Section]
) -> tuple[SectionDefinition, ...]:
    return tuple(definition for definition in definitions if named(definition.title, sections) is None)


def _with(sections: Sequence[Section], new: Sequence[SectionDefinition]) -> tuple[Section, ...]:
    """Return the sections as they will be; Plex numbers new ones after the others."""
    first = 1 + max((section.id for section in sections), default=0)
    made = (
        Section(id=id_, title=definition.title, type=definition.type, locations=definition.paths)
        for id_, definition in enumerate(new, start=first)
    )
    return (*sections, *made)


def _creation(definition: SectionDefinition, condition: str = "") -> str:
    step = f"create section {definition.title} ({definition.type}) for {', '.join(definition.paths)}"
    return f"{step}, {condition}" if condition else step


def _course(outset: Outset, section: Section) -> str:
    return f"take {section.title} through: {_phases(outset, outset.agenda.phases(section))}"


def _phases(outset: Outset, phases: Sequence[Phase]) -> str:
    words = ["deep scan" if outset.deep and p is Phase.SCAN else _PHASES[p] for p in phases]
    return ", ".join(words)


def _unseen(outset: Outset) -> Iterator[str]:
    """The way of sections that only the server knows."""
    probe = [Section(id=0, title="", type=kind) for kind in SectionType]
    common = [phase for phase in Phase if all(phase in outset.agenda.phases(section) for section in probe)]
    some = {phase for section in probe for phase in outset.agenda.phases(section)} - set(common)
    music = ", ".join(_PHASES[phase] for phase in Phase if phase in some)
    names = ", ".join(outset.wanted) or "every section of the server"
    yield f"take {names} through: {_phases(outset, common)}{f'; music also: {music}' if music else ''}"
