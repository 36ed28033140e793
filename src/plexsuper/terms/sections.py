"""A section of the library: as Plex lists it, as events name it, as it is to be made."""

from dataclasses import dataclass

from plexsuper.kinds import SectionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A library section as Plex lists it.

    `scanned_at` is in Unix seconds, None if Plex does not tell. `refreshing` is only true to life when it
    comes from the section *list*; a single section's answer never carries it (recorded from real servers).
    """

    id: int
    title: str
    type: SectionType
    locations: tuple[str, ...] = ()
    agent: str = ""
    scanner: str = ""
    language: str = ""
    refreshing: bool = False
    scanned_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRef:
    """The two words by which an event names a section."""

    id: int
    title: str


def section_title(title: str | None, id_: int) -> str:
    """Return the *title* by which a section is spoken of; one that has none is called by its number."""
    return title if title and not title.isspace() else f"section {id_}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDefinition:
    """A section to be created; `paths` are absolute, as the Plex server sees them.

    `agent` and `scanner` are Plex's names (`tv.plex.agents.movie`, `Plex Movie`).
    """

    title: str
    type: SectionType
    agent: str
    scanner: str
    language: str
    paths: tuple[str, ...]
