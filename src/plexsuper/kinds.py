"""The one table of Plex's section and metadata types; nobody guesses a number (lesson L24).

Source: library databases of real servers (`section_type`, `metadata_type`) and the HTTP API's `type=` values.
"""

from enum import IntEnum, StrEnum


class MetadataType(IntEnum):
    """`metadata_items.metadata_type`, also the API's `type=` argument."""

    MOVIE = 1
    SHOW = 2
    SEASON = 3
    EPISODE = 4
    TRAILER = 5
    PERSON = 7
    ARTIST = 8
    ALBUM = 9
    TRACK = 10
    CLIP = 12
    PHOTO = 13
    PHOTO_ALBUM = 14
    PLAYLIST = 15
    PLAYLIST_FOLDER = 16
    COLLECTION = 18
    OPTIMIZED_VERSION = 42


class SectionType(StrEnum):
    """What a library section holds; the value is its name in the HTTP API."""

    MOVIE = "movie"
    SHOW = "show"
    ARTIST = "artist"
    PHOTO = "photo"

    @property
    def api(self) -> str:
        """The name in the HTTP API."""
        return self.value

    @property
    def number(self) -> int:
        """`library_sections.section_type`, and `type=` when a section is created."""
        return _NUMBERS[self]

    @property
    def kinds(self) -> tuple[MetadataType, ...]:
        """The types of this section's rows, from the top down; the last one has the media."""
        return _KINDS[self]

    @property
    def leaf(self) -> MetadataType:
        """The type of the rows that have media."""
        return _KINDS[self][-1]

    @classmethod
    def from_api(cls, name: str) -> "SectionType":
        """Return the type the HTTP API calls *name*; raise `ValueError` for one we do not know."""
        for member in cls:
            if member.value == name:
                return member
        raise ValueError(f"unknown section type {name!r}; known are {', '.join(cls)}")

    @classmethod
    def from_number(cls, number: int) -> "SectionType":
        """Return the type the database calls *number*; raise `ValueError` for one we do not know."""
        for member in cls:
            if member.number == number:
                return member
        raise ValueError(f"unknown section_type {number} in the library database")


_NUMBERS = {SectionType.MOVIE: 1, SectionType.SHOW: 2, SectionType.ARTIST: 8, SectionType.PHOTO: 13}

_KINDS = {
    SectionType.MOVIE: (MetadataType.MOVIE,),
    SectionType.SHOW: (MetadataType.SHOW, MetadataType.SEASON, MetadataType.EPISODE),
    SectionType.ARTIST: (MetadataType.ARTIST, MetadataType.ALBUM, MetadataType.TRACK),
    SectionType.PHOTO: (MetadataType.PHOTO_ALBUM, MetadataType.PHOTO),
}


class StreamType(IntEnum):
    """`media_streams.stream_type_id`."""

    VIDEO = 1
    AUDIO = 2
    SUBTITLE = 3


SONIC_MARK = "ms:musicAnalysisVersion"
"""A track whose `metadata_items.extra_data` contains this text has been sonically analysed."""
