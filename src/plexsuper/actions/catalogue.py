"""Choose the sections of the run, and create those that the definitions file wants and the server lacks."""

import difflib
from collections.abc import Sequence

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.plex import Plex
from plexsuper.errors import ServerError, SettingsError
from plexsuper.events import SectionCreated
from plexsuper.terms import Section, SectionDefinition, SectionRef


async def create_missing(
    plex: Plex, definitions: Sequence[SectionDefinition], publish: Publish, *, patience: float
) -> None:
    """Create each section of *definitions* that is not there; a section of the same title is never made twice.

    Plex answers "still starting up" for a while after it became ready; it is asked again for *patience* seconds,
    each time after looking whether an earlier, unanswered request was carried out after all.

    Raises:
        ServerError: Plex does not create a section or does not show it, or a section of that title has another type.
    """
    for definition in definitions:
        await persist(lambda wanted=definition: _create(plex, wanted, publish), patience=patience)  # type: ignore[misc]  # mypy cannot infer a lambda with a default


async def _create(plex: Plex, definition: SectionDefinition, publish: Publish) -> None:
    there = _named(definition.title, await plex.sections())
    if there is not None:
        if there.type is not definition.type:
            raise ServerError(
                f"Section {definition.title!r} exists as {there.type}, but the definitions file wants {definition.type}; "
                "rename one of them"
            )
        return
    id_ = await plex.create_section(definition)
    made = next((section for section in await plex.sections() if section.id == id_), None)
    if made is None:
        raise ServerError(f"Plex said that it created section {definition.title!r}, but does not list it")
    ref = SectionRef(id=made.id, title=made.title)
    publish(SectionCreated(section=ref, locations=made.locations))


def choose(sections: Sequence[Section], wanted: Sequence[str]) -> tuple[Section, ...]:
    """Return the *wanted* sections (titles or ids) in their order, or all of them by id if none is named.

    Raises:
        SettingsError: a wanted section does not exist; with the nearest title.
    """
    if not wanted:
        return tuple(sorted(sections, key=lambda section: section.id))
    chosen: list[Section] = []
    unknown: list[str] = []
    for name in wanted:
        found = _named(name, sections) or _numbered(name, sections)
        if found is None:
            unknown.append(_suggestion(name, sections))
        elif found not in chosen:
            chosen.append(found)
    if unknown:
        raise SettingsError("\n".join(unknown))
    return tuple(chosen)


def _named(title: str, sections: Sequence[Section]) -> Section | None:
    return next((section for section in sections if section.title == title), None)


def _numbered(name: str, sections: Sequence[Section]) -> Section | None:
    return next((section for section in sections if str(section.id) == name), None)


def _suggestion(name: str, sections: Sequence[Section]) -> str:
    titles = [section.title for section in sections]
    near = difflib.get_close_matches(name, titles, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(titles) or 'none'}"
    return f"There is no section {name!r} on this server; {hint}"
