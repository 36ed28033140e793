"""Create the sections that the definitions file wants and the server lacks."""

from collections.abc import Sequence

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.plex import Plex
from plexsuper.decisions.selection import named
from plexsuper.errors import ServerError
from plexsuper.events import SectionCreated
from plexsuper.terms import SectionDefinition, SectionRef


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
    there = named(definition.title, await plex.sections())
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
