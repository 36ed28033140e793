"""Learn the sections of the server, and create those that the definitions file wants and the server lacks."""

from collections.abc import Sequence

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.plex.server import Plex
from plexsuper.decisions.selection import named
from plexsuper.errors import ServerAway, ServerError
from plexsuper.events import SectionCreated
from plexsuper.terms import Section, SectionDefinition, SectionRef


async def list_sections(
    plex: Plex, library: LibrarySource | None, wanted: Sequence[str]
) -> tuple[Section, ...]:
    """Return the sections that Plex lists, of which none of the *wanted* ones (titles or ids; all if empty) is missing.

    A list that is cut short would make a run that is done without having done anything (lesson L01): as long as the
    library database holds sections that Plex does not list, it is asked again.

    Raises:
        DatabaseError: the library database is there and cannot be read.
        ServerAway: Plex does not list them.
    """
    held: tuple[Section, ...] = ()
    if library is not None and await library.exists():
        async with library.open() as database:
            held = await database.sections()
    needed = [s for s in held if not wanted or {s.title, str(s.id)} & {*wanted}]

    async def ask() -> tuple[Section, ...]:
        listed = await plex.sections()
        present = {section.id for section in listed}
        missing = [f"{section.title!r} ({section.id})" for section in needed if section.id not in present]
        if missing:
            raise ServerAway(
                f"Plex does not list sections that are in its library database: {', '.join(missing)}; nothing was done to "
                "them. Look for them in Plex, and see that plex.config_dir is the directory of the server at plex.url"
            )
        return listed

    return await persist(ask)


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
    strange = next((section for section in plex.skipped if section.title == definition.title), None)
    if strange is not None:
        raise ServerError(
            f"Section {definition.title!r} exists with the type {strange.type!r}, which plexsuper does not know, but the definitions "
            f"file wants {definition.type}; rename one of them"
        )
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
