"""Answers about items: listings with paging, counts and the few filters that real clients use."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from plexsuper.kinds import SONIC_MARK, MetadataType, SectionType
from plexsuper.simulator.api.sections import MEDIA_TAGS
from plexsuper.simulator.core import Core
from plexsuper.simulator.library.values import storable
from plexsuper.simulator.library.writer import Section
from plexsuper.simulator.life import Life
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.render import Element, Value, container, done, failure, reply

_TAGS = {
    MetadataType.MOVIE: "Video",
    MetadataType.EPISODE: "Video",
    MetadataType.CLIP: "Video",
    MetadataType.TRACK: "Track",
    MetadataType.PHOTO: "Photo",
}
_NAMES = {
    MetadataType.MOVIE: "movie",
    MetadataType.SHOW: "show",
    MetadataType.SEASON: "season",
    MetadataType.EPISODE: "episode",
    MetadataType.ARTIST: "artist",
    MetadataType.ALBUM: "album",
    MetadataType.TRACK: "track",
    MetadataType.PHOTO: "photo",
    MetadataType.PHOTO_ALBUM: "photo",
}
_COLUMNS = "id, library_section_id, parent_id, metadata_type, guid, title, added_at, updated_at, deleted_at, extra_data"


def listing(life: Life, request: Request, number: str) -> Response:
    """`GET /library/sections/{id}/all`; a filter it does not know changes nothing, as on real servers."""
    core = life.core
    section = core.section(int(number))
    if section is None:
        return failure(404, "Not Found")
    where, values = _where(core, section, request)
    count = f"SELECT count(*) FROM metadata_items WHERE {where}"  # noqa: S608 # built below from constants
    total = core.library.conn.execute(count, values).fetchone()[0]
    start = request.number("X-Plex-Container-Start") or 0
    size = request.number("X-Plex-Container-Size")
    rows = core.library.conn.execute(
        f"SELECT {_COLUMNS} FROM metadata_items WHERE {where} ORDER BY title_sort, id LIMIT ? OFFSET ?",  # noqa: S608 # same
        (*values, -1 if size is None else size, start),
    ).fetchall()
    paged = size is not None
    root = container(
        [_item(core, row, section) for row in rows],
        totalSize=total if paged or core.knobs.total_size_always else None,
        offset=start if paged or core.knobs.total_size_always else None,
        allowSync=True,
        art=f"/:/resources/{section.type.api}-fanart.jpg",
        librarySectionID=section.id,
        librarySectionTitle=section.title,
        librarySectionUUID=section.uuid,
        thumb=f"/:/resources/{section.type.api}.png",
        title1=section.title,
        title2="All",
        viewGroup=section.type.api,
        viewMode=65592,
        **MEDIA_TAGS,
    )
    headers = (
        {"X-Plex-Container-Start": str(start), "X-Plex-Container-Total-Size": str(total)} if paged else {}
    )
    return reply(request, root, headers=headers)


async def items(life: Life, request: Request, numbers: str) -> Response:
    """`GET /library/metadata/{id,id,...}`; `checkFiles=1` looks at each file now."""
    core = life.core
    ids = [int(number) for number in numbers.split(",") if number]
    children = []
    for row in _rows(core, ids):
        section = core.section(row[1]) if row[1] is not None else None
        element = _item(core, row, section)
        if request.argument("checkFiles") == "1":
            for media in element.children:
                for part in media.children:
                    there = await life.exists(str(part.attributes["file"]))
                    part.attributes |= {"accessible": there, "exists": there}
        children.append(element)
    if not children:
        return failure(404, "Not Found")
    return reply(request, container(children, allowSync=True, **MEDIA_TAGS))


def analyze(life: Life, _: Request, numbers: str) -> Response:
    """`PUT /library/metadata/{id}/analyze`."""
    core = life.core
    ids = [int(number) for number in numbers.split(",") if number]
    core.truth.record("analyze.item", items=ids)
    if core.knobs.analyze_item_status == 500:
        return failure(500, "Internal Server Error")
    found = _rows(core, ids)
    if not found or core.knobs.analyze_item_status == 404:
        return failure(404, "Not Found")
    for row in found:
        section = core.section(row[1])
        if section is not None:
            core.tasks.start_soon(life.analyses.again, section, row[0])
    return done()


def _rows(core: Core, ids: Iterable[int]) -> list[Any]:
    found = []
    for number in ids:
        found += core.library.conn.execute(
            f"SELECT {_COLUMNS} FROM metadata_items WHERE id = ?",  # noqa: S608 # a constant
            (number,),
        ).fetchall()
    return found


def _where(core: Core, section: Section, request: Request) -> tuple[str, tuple[Any, ...]]:
    kind = request.number("type") or _top(section.type)
    clauses = ["library_section_id = ?", "metadata_type = ?"]
    values: list[Any] = [section.id, kind]
    if request.argument("trash") == "1":
        clauses.append("deleted_at IS NOT NULL")
    elif not core.knobs.trash_is_listed:
        clauses.append("deleted_at IS NULL")
    if file := request.argument("file"):
        clauses.append(
            "id IN (SELECT version.metadata_item_id FROM media_items AS version JOIN media_parts AS part"
            " ON part.media_item_id = version.id WHERE part.file = CAST(? AS TEXT))"
        )
        values.append(storable(file))
    if request.argument("musicAnalysisVersion") == "1":
        clauses.append("extra_data LIKE ?")
        values.append(f"%{SONIC_MARK}%")
    return " AND ".join(clauses), tuple(values)


def _top(kind: SectionType) -> int:
    return int(kind.kinds[0])


def _item(core: Core, row: Any, section: Section | None) -> Element:
    number, section_id, parent, kind, guid, title, added, updated, deleted, extra = row
    attributes: dict[str, Value | None] = {
        "ratingKey": str(number),
        "key": f"/library/metadata/{number}",
        "parentRatingKey": None if parent is None else str(parent),
        "guid": guid,
        "type": _NAMES.get(kind, "clip"),
        "title": title,
        "librarySectionID": section_id,
        "librarySectionTitle": section.title if section else None,
        "addedAt": added,
        "updatedAt": updated,
        "deletedAt": deleted,
        "musicAnalysisVersion": 1 if SONIC_MARK in (extra or "") else None,
    }
    return Element(_TAGS.get(kind, "Directory"), attributes, _media(core.library.conn, number), "Metadata")


def _media(conn: sqlite3.Connection, item: int) -> list[Element]:
    found: dict[int, Element] = {}
    rows = conn.execute(
        "SELECT version.id, version.duration, version.bitrate, version.width, version.height,"
        " version.audio_channels, version.audio_codec, version.video_codec, version.container, version.deleted_at,"
        " part.id, part.duration, part.file, part.size, part.deleted_at FROM media_items AS version"
        " JOIN media_parts AS part ON part.media_item_id = version.id WHERE version.metadata_item_id = ?"
        " ORDER BY version.id, part.id",
        (item,),
    )
    names = (
        "id",
        "duration",
        "bitrate",
        "width",
        "height",
        "audioChannels",
        "audioCodec",
        "videoCodec",
        "container",
    )
    for row in rows:
        media = found.setdefault(
            row[0],
            Element(
                "Media",
                {name: value or None for name, value in zip(names, row[:9], strict=True)}
                | {"deletedAt": row[9]},
            ),
        )
        part: dict[str, Value | None] = {
            "id": row[10],
            "key": f"/library/parts/{row[10]}/file",
            "duration": row[11] or None,
            "file": row[12],
            "size": row[13],
            "container": row[8] or None,
            "deletedAt": row[14],
        }
        media.children.append(Element("Part", part))
    return list(found.values())
