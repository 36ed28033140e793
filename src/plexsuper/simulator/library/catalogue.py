"""How a file becomes rows: the section, the item, its version, its part, its streams and the folders above it.

One place for this knowledge, used by the live writer (`library.py`) and by the bulk generator (`reference.py`).
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias
from urllib.parse import quote

from plexsuper.errors import DatabaseError
from plexsuper.kinds import MetadataType, SectionType, StreamType
from plexsuper.simulator.library.rows import (
    Directory,
    LibrarySection,
    MediaItem,
    MediaPart,
    MediaStream,
    MetadataItem,
    SectionLocation,
)
from plexsuper.simulator.library.tables import Row
from plexsuper.simulator.library.technical import Technical, suffix
from plexsuper.simulator.library.values import encode_extra_data, file_hash, guid, sort_title, storable

Add: TypeAlias = Callable[[Row], int]

ANALYSIS_VERSION = 6
"""What `media_items.media_analysis_version` becomes; 0 is known to mean "not analysed", today's value is not known."""

_VIDEO_EXTRA = encode_extra_data(
    {"ma:bitDepth": "8", "ma:frameRate": "23.976", "ma:height": "1080", "ma:width": "1920"}
)
_AUDIO_EXTRA = encode_extra_data(
    {"ma:audioChannelLayout": "stereo", "ma:bitDepth": "16", "ma:samplingRate": "44100"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """A root folder of a section."""

    section_id: int
    location_id: int
    root: str

    def holds(self, file: str) -> bool:
        """Say whether *file* lies below this root."""
        return file.startswith(self.root.rstrip("/") + "/")

    def relative_folder(self, file: str) -> str:
        """Return the folder of *file* relative to the root, empty for the root itself."""
        return file.rpartition("/")[0][len(self.root) :].strip("/")


class Catalogue:
    """Turn files and titles into rows, handing each row to *add*, which returns the id it got.

    It remembers the places and folders it has made; a writer on a living database overrides `places` and
    `find_folder` to ask that instead.
    """

    def __init__(self, add: Add, *, now: Callable[[], int], next_change: Callable[[], int]) -> None:
        self.add = add
        self._now = now
        self._next_change = next_change
        self._folders: dict[tuple[int, str], int] = {}
        self._places: dict[int, list[Place]] = {}

    def add_section(
        self,
        *,
        title: str,
        type: SectionType,  # noqa: A002 # the word of Plex's own interface
        agent: str,
        scanner: str,
        language: str,
        paths: Sequence[str],
    ) -> int:
        """Add a library section with its locations and return its id."""
        now = self._now()
        change = self._next_change()
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"plexsuper:{title}:{paths}"))
        section_id = self.add(
            LibrarySection(
                None,
                title,
                sort_title(title),
                type.number,
                language,
                agent,
                scanner,
                name,
                now,
                now,
                change,
                change,
            )
        )
        self._places[section_id] = [
            Place(section_id, self.add(SectionLocation(None, section_id, storable(path), now, now)), path)
            for path in paths
        ]
        return section_id

    def places(self, section_id: int) -> list[Place]:
        """Return the root folders of a section."""
        return self._places[section_id]

    def place_of(self, section_id: int, file: str) -> Place:
        """Return the root folder that holds *file*; raise `DatabaseError` if the section has none."""
        for place in self.places(section_id):
            if place.holds(file):
                return place
        raise DatabaseError(f"{file!r} lies in no location of section {section_id}; add the location first")

    def add_item(
        self,
        section_id: int | None,
        kind: MetadataType,
        title: str,
        *identity: str,
        parent: int | None = None,
        **more: Any,
    ) -> int:
        """Add the item *title*; *identity* makes its guid, *more* are further columns of `metadata_items`."""
        now = self._now()
        row = MetadataItem(
            id=None,
            library_section_id=section_id,
            parent_id=parent,
            metadata_type=kind,
            guid=guid(kind, *identity),
            title=title,
            title_sort=sort_title(title),
            added_at=now,
            created_at=now,
            updated_at=now,
            changed_at=self._next_change(),
            hash=file_hash("/".join(identity)),
            **more,
        )
        return self.add(row)

    def add_version(
        self, place: Place, item_id: int, file: str, *, hints: str = "", analysed: Technical | None = None
    ) -> int:
        """Add a version of *item_id* without its part; *analysed* fills in what analysis would find."""
        now = self._now()
        found = analysed or Technical()
        row = MediaItem(
            id=None,
            library_section_id=place.section_id,
            section_location_id=place.location_id,
            metadata_item_id=item_id,
            container=suffix(file),
            created_at=now,
            updated_at=now,
            hints=hints,
            duration=found.duration or None,
            width=found.width,
            height=found.height,
            video_codec=found.video_codec,
            audio_codec=found.audio_codec,
            audio_channels=found.channels,
            media_analysis_version=ANALYSIS_VERSION if analysed else 0,
        )
        return self.add(row)

    def add_part(
        self, place: Place, version_id: int, file: str, size: int, *, analysed: Technical | None = None
    ) -> int:
        """Add *file* of *size* bytes to the version; *analysed* adds its streams too."""
        now = self._now()
        digest = file_hash(file)
        row = MediaPart(
            id=None,
            media_item_id=version_id,
            directory_id=self.folder(place.section_id, place.relative_folder(file)),
            hash=digest,
            open_subtitle_hash=digest[:16],
            file=storable(file),
            size=size,
            created_at=now,
            updated_at=now,
            duration=analysed.duration if analysed else None,
            extra_data=_one_field("ma:container", suffix(file)) if analysed else None,
        )
        part_id = self.add(row)
        if analysed:
            self.add_streams(version_id, part_id, analysed)
        return part_id

    def add_streams(self, version_id: int, part_id: int, found: Technical) -> None:
        """Add the video and audio streams that analysis found in a part."""
        streams = (
            (StreamType.VIDEO, found.video_codec, None, _VIDEO_EXTRA),
            (StreamType.AUDIO, found.audio_codec, found.channels, _AUDIO_EXTRA),
        )
        present = [stream for stream in streams if stream[1]]
        now = self._now()
        for index, (kind, codec, channels, extra) in enumerate(present):
            row = MediaStream(
                id=None,
                stream_type_id=kind,
                media_item_id=version_id,
                media_part_id=part_id,
                codec=codec,
                created_at=now,
                updated_at=now,
                index_=index,
                channels=channels,
                default_=1,
                extra_data=extra,
            )
            self.add(row)

    def add_sidecar_subtitle(self, version_id: int, part_id: int, file: str, language: str) -> int:
        """Add the subtitle *file* that lies next to the film; Plex keeps its address percent-encoded."""
        now = self._now()
        row = MediaStream(
            id=None,
            stream_type_id=StreamType.SUBTITLE,
            media_item_id=version_id,
            media_part_id=part_id,
            codec=suffix(file),
            created_at=now,
            updated_at=now,
            url="file://" + quote(file, safe="/", errors="surrogateescape"),
            language=language,
        )
        return self.add(row)

    def folder(self, section_id: int, relative: str) -> int:
        """Return the id of the folder *relative* of the section, adding it and the folders above it if new."""
        known = self.find_folder(section_id, relative)
        if known is not None:
            return known
        parent = self.folder(section_id, relative.rpartition("/")[0]) if relative else None
        now = self._now()
        folder_id = self.add(Directory(None, section_id, parent, storable(relative), now, now))
        self._folders[section_id, relative] = folder_id
        return folder_id

    def find_folder(self, section_id: int, relative: str) -> int | None:
        """Return the id of a folder that is there already."""
        return self._folders.get((section_id, relative))


@cache
def _one_field(key: str, value: str) -> str:
    return encode_extra_data({key: value})
