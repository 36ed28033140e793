"""The one table of Plex's section and metadata types; nobody guesses a number (lesson L24).

Source: library databases of real servers (`section_type`, `metadata_type`) and the HTTP API's `type=` values.
"""

from enum import Enum, IntEnum


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


class SectionType(Enum):
    """What a library section holds: its API name, its database number, and the types of its rows."""

    MOVIE = ("movie", 1, MetadataType.MOVIE, (MetadataType.MOVIE,))
    SHOW = ("show", 2, MetadataType.EPISODE, (MetadataType.SHOW, MetadataType.SEASON, MetadataType.EPISODE))
    ARTIST = ("artist", 8, MetadataType.TRACK, (MetadataType.ARTIST, MetadataType.ALBUM, MetadataType.TRACK))
    PHOTO = ("photo", 13, MetadataType.PHOTO, (MetadataType.PHOTO_ALBUM, MetadataType.PHOTO))

    def __init__(self, api: str, number: int, leaf: MetadataType, kinds: tuple[MetadataType, ...]) -> None:
        self.api = api
        self.number = number
        self.leaf = leaf
        self.kinds = kinds

    @classmethod
    def from_api(cls, name: str) -> "SectionType":
        """Return the type the HTTP API calls *name*; raise `ValueError` for one we do not know."""
        for member in cls:
            if member.api == name:
                return member
        known = ", ".join(member.api for member in cls)
        raise ValueError(f"unknown section type {name!r}; known are {known}")

    @classmethod
    def from_number(cls, number: int) -> "SectionType":
        """Return the type the database calls *number*; raise `ValueError` for one we do not know."""
        for member in cls:
            if member.number == number:
                return member
        raise ValueError(f"unknown section_type {number} in the library database")


class StreamType(IntEnum):
    """`media_streams.stream_type_id`."""

    VIDEO = 1
    AUDIO = 2
    SUBTITLE = 3


SONIC_MARK = "ms:musicAnalysisVersion"
"""A track whose `metadata_items.extra_data` contains this text has been sonically analysed."""
