"""Does a server answer, and does it list the library it is meant to have: asked once, from code that may block."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

import anyio
from pydantic import SecretStr

from plexsuper.clients.plex.documents import document
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.questions import Questions
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Identity
from plexsuper.database.statistics import LibraryStatistics
from plexsuper.errors import ServerRefused
from plexsuper.kinds import MetadataType, SectionType

_COUNTED = {
    SectionType.MOVIE.value: (MetadataType.MOVIE, "movies"),
    SectionType.SHOW.value: (MetadataType.EPISODE, "episodes"),
    SectionType.ARTIST.value: (MetadataType.TRACK, "tracks"),
}
"""What is counted in a section. Photos are not: a photo section's total is not the same thing on all servers."""

_NOTHING_BUT_THE_TOTAL = (("X-Plex-Container-Start", "0"), ("X-Plex-Container-Size", "0"))


def ask_identity(url: str) -> Identity:
    """Return who answers at *url*; raise `ServerNotUp` (a `ServerAway`) with what was seen instead."""

    async def ask() -> Identity:
        async with open_http(url) as transport:
            return await Plex(transport).identity()

    return anyio.run(ask)


def count_items(url: str, token: SecretStr | None) -> dict[int, int | None]:
    """Return how many items (of the type that has the media) each section has, by its id; None for photos.

    Trashed items may be among the counted ones.

    Raises:
        ServerAway: no answer now.
        ServerRefused: the token is not accepted, or the answer has no total.
    """

    async def count() -> dict[int, int | None]:
        async with open_http(url) as transport:
            plex, questions = Plex(transport), Questions(transport, "plexsuper")
            plex.token = questions.token = token
            kinds = {section.id: _COUNTED.get(section.type.value) for section in await plex.sections()}
            return {
                section: None if kind is None else await _total(questions, section, kind[0])
                for section, kind in kinds.items()
            }

    return anyio.run(count)


def difference(statistics: LibraryStatistics, counted: Mapping[int, int | None]) -> str:
    """Say where what a server *counted* is not the library of *statistics*; empty when it is."""
    for section in statistics.sections:
        if section.type not in set(SectionType):
            continue
        if section.id not in counted:
            return f"section {section.title!r} is not listed"
        found, counts = counted[section.id], _COUNTED.get(section.type)
        if found is None or counts is None:
            continue
        live, trashed = (
            getattr(kinds, counts[1]) for kinds in (section.figures.live, section.figures.trashed)
        )
        if not live <= found <= live + trashed:
            return f"section {section.title!r} has {found} {counts[1]} instead of {live}"
    return ""


def token_in(preferences: str) -> SecretStr | None:
    """Return the token in the text of a `Preferences.xml`; None when the server is unclaimed or it cannot be read."""
    try:
        found = ET.fromstring(preferences.encode()).get("PlexOnlineToken")  # noqa: S314 - Plex's own file; expat limits expansion
    except ET.ParseError:
        return None
    return SecretStr(found) if found else None


async def _total(questions: Questions, section: int, kind: MetadataType) -> int:
    path = f"/library/sections/{section}/all"
    answer = await questions.ask("GET", path, [("type", str(int(kind))), *_NOTHING_BUT_THE_TOTAL])
    questions.check("GET", path, answer)
    try:
        return int(document(answer)["totalSize"])
    except (ValueError, KeyError) as error:
        raise ServerRefused(
            f"GET {path}: Plex answered without a total: {questions.shown(answer)}"
        ) from error
