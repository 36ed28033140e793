"""Answers about sections: the list, the menus, and everything one can ask a section to do."""

from plexsuper.kinds import SectionType
from plexsuper.simulator.library.catalogue import Place
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.life import Life
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.render import Element, Value, container, done, failure, reply
from plexsuper.simulator.work.scanning import empty_trash as purge

MEDIA_TAGS: dict[str, Value | None] = {
    "identifier": "com.plexapp.plugins.library",
    "mediaTagPrefix": "/system/bundle/media/flags/",
    "mediaTagVersion": 1764000000,
}
_MENU = ("all", "unwatched", "newest", "recentlyAdded", "recentlyViewed", "onDeck", "collection", "folder")


def library(_: Life, request: Request) -> Response:
    """`GET /library`."""
    names = ("sections", "recentlyAdded", "onDeck")
    children = [Element("Directory", {"key": name, "title": name}) for name in names]
    return reply(request, container(children, allowSync=False, title1="Plex Library", **MEDIA_TAGS))


def sections(life: Life, request: Request) -> Response:
    """`GET /library/sections`: the only place where `refreshing` is told."""
    library = life.core.library
    children = [
        _directory(section, library.places(section.id), refreshing=life.scans.refreshing(section.id))
        for section in reversed(library.sections())  # recorded: not in the order of the ids
    ]
    return reply(request, container(children, allowSync=False, title1="Plex Library"))


def create(life: Life, request: Request) -> Response:
    """`POST /library/sections`: 201 and where it is; 400 while the server is still starting up."""
    core = life.core
    if not life.ready:
        core.logs.server("Section creation refused during start-up", level="WARN")
        return failure(400, "Plex Media Server is still starting up. Please retry later")
    wanted = {name: request.argument(name) or "" for name in ("name", "type", "agent", "scanner", "language")}
    locations = request.arguments("location") or request.arguments("locations")
    try:
        kind = SectionType.from_number(int(wanted["type"]))
    except ValueError:
        return failure(400, "Bad Request")
    if not locations or not wanted["name"] or not wanted["agent"] or not wanted["scanner"]:
        return failure(400, "Bad Request")
    with transaction(core.library.conn):
        section = core.library.add_section(
            title=wanted["name"],
            type=kind,
            agent=wanted["agent"],
            scanner=wanted["scanner"],
            language=wanted["language"] or "en-US",
            paths=locations,
        )
    core.truth.record("section.created", section=section, title=wanted["name"])
    if core.knobs.first_scan:
        life.scans.ask(section)
    return done(201, {"Location": f"/library/sections/{section}"})


def menu(life: Life, request: Request, number: str) -> Response:
    """`GET /library/sections/{id}`: a menu, without `refreshing`."""
    section = life.core.section(int(number))
    if section is None:
        return failure(404, "Not Found")
    children = [Element("Directory", {"key": key, "title": key}) for key in _MENU]
    art = f"/:/resources/{section.type.api}-fanart.jpg"
    thumb = f"/:/resources/{section.type.api}.png"
    root = container(
        children,
        allowSync=False,
        art=art,
        content="secondary",
        librarySectionID=section.id,
        thumb=thumb,
        title1=section.title,
        viewGroup="secondary",
        **MEDIA_TAGS,
    )
    return reply(request, root)


def edit(life: Life, request: Request, number: str) -> Response:
    """`PUT /library/sections/{id}`: only the name can be changed here."""
    if life.core.section(int(number)) is None:
        return failure(404, "Not Found")
    if name := request.argument("name"):
        life.core.library.conn.execute(
            "UPDATE library_sections SET name = ?, name_sort = ? WHERE id = ?", (name, name, int(number))
        )
    return done()


def delete(life: Life, _: Request, number: str) -> Response:
    """`DELETE /library/sections/{id}`."""
    core, section = life.core, int(number)
    if core.section(section) is None:
        return failure(404, "Not Found")
    life.scans.cancel(section)
    with transaction(core.library.conn):
        core.library.trash.remove_section(section)
    core.truth.record("section.deleted", section=section)
    return done()


def refresh(life: Life, request: Request, number: str) -> Response:
    """`GET` or `POST /library/sections/{id}/refresh`: queues a scan, no more."""
    if life.core.section(int(number)) is None:
        return failure(404, "Not Found")
    life.scans.ask(int(number), path=request.argument("path"), force=request.argument("force") == "1")
    return done()


def refresh_all(life: Life, request: Request, _: str) -> Response:
    """`GET /library/sections/all/refresh` and `POST /library/sections/refresh`.

    Documented: the POST answers 503 when a music library is to be refreshed and the server is not signed in.
    """
    found = life.core.library.sections()
    has_music = any(section.type is SectionType.ARTIST for section in found)
    if request.path.startswith("/library/sections/refresh") and has_music and not life.claimed:
        return failure(503, "Service Unavailable")
    for section in found:
        life.scans.ask(section.id, force=request.argument("force") == "1")
    return done()


def cancel(life: Life, _: Request, number: str) -> Response:
    """`DELETE /library/sections/{id}/refresh`."""
    if life.core.section(int(number)) is None:
        return failure(404, "Not Found")
    life.scans.cancel(int(number))
    return done()


def cancel_all(life: Life, _: Request) -> Response:
    """`DELETE /library/sections/all/refresh`."""
    life.scans.cancel(None)
    return done()


def analyze(life: Life, _: Request, number: str) -> Response:
    """`PUT /library/sections/{id}/analyze`: media analysis, never the sonic one."""
    section = life.core.section(int(number))
    if section is None:
        return failure(404, "Not Found")
    life.core.truth.record("analyze.section", section=section.id)
    life.core.tasks.start_soon(life.analyses.section, section)
    return done()


def empty_trash(life: Life, _: Request, number: str) -> Response:
    """`PUT /library/sections/{id}/emptyTrash`: the answer comes before the work is done."""
    if life.core.section(int(number)) is None:
        return failure(404, "Not Found")
    life.core.tasks.start_soon(_empty_trash, life, int(number))
    return done()


def timeline(life: Life, request: Request, number: str) -> Response:
    """`GET /library/sections/{id}/timeline`."""
    if life.core.section(int(number)) is None:
        return failure(404, "Not Found")
    return reply(request, container([], updateQueueSize=life.scans.pending(int(number))))


async def _empty_trash(life: Life, section: int) -> None:
    core = life.core
    with core.truth.work("trash", section=section) as result:
        await core.clock.sleep(core.vary(core.knobs.trash_seconds))
        result["purged"] = purge(core, section)


def _directory(section: Section, places: list[Place], *, refreshing: bool) -> Element:
    attributes: dict[str, Value | None] = {
        "allowSync": True,
        "art": f"/:/resources/{section.type.api}-fanart.jpg",
        "composite": f"/library/sections/{section.id}/composite/{section.updated_at}",
        "filters": True,
        "refreshing": refreshing,
        "thumb": f"/:/resources/{section.type.api}.png",
        "key": str(section.id),
        "type": section.type.api,
        "title": section.title,
        "agent": section.agent,
        "scanner": section.scanner,
        "language": section.language,
        "uuid": section.uuid,
        "updatedAt": section.updated_at,
        "createdAt": section.created_at,
        "scannedAt": section.scanned_at,
        "content": True,
        "directory": True,
        "contentChangedAt": section.content_changed_at,
        "hidden": 0,
    }
    locations = [Element("Location", {"id": place.location_id, "path": place.root}) for place in places]
    return Element("Directory", attributes, locations)
