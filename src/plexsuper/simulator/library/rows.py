"""The rows of the media, one type per table, so that every writer agrees on what a column holds.

A field is a column (`index_` is the column `index`); columns that are not named here keep their default. Times are Unix
seconds. Paths are `str`, or `bytes` where they are not UTF-8: both are stored as text, as Plex does.
"""

from typing import NamedTuple

from plexsuper.simulator.library.values import Text


class LibrarySection(NamedTuple):
    """A library as the user sees it."""

    id: int | None
    name: str
    name_sort: str
    section_type: int
    language: str
    agent: str
    scanner: str
    uuid: str
    created_at: int
    updated_at: int
    changed_at: int
    content_changed_at: int
    scanned_at: int | None = None
    public: str | None = None


class SectionLocation(NamedTuple):
    """One root folder of a section."""

    id: int | None
    library_section_id: int
    root_path: Text
    created_at: int
    updated_at: int
    scanned_at: int | None = None
    available: str = "t"


class Directory(NamedTuple):
    """A folder below a section's roots; `path` is relative to the root and empty for the root itself."""

    id: int | None
    library_section_id: int
    parent_directory_id: int | None
    path: Text
    created_at: int
    updated_at: int
    deleted_at: int | None = None


class MetadataItem(NamedTuple):
    """What a user calls a film, a show, an album …; `changed_at` is a counter, not a time."""

    id: int | None
    library_section_id: int | None
    parent_id: int | None
    metadata_type: int
    guid: str
    title: str
    title_sort: str
    added_at: int
    created_at: int
    updated_at: int
    changed_at: int
    media_item_count: int = 0
    original_title: str = ""
    studio: str = ""
    rating: float | None = None
    summary: str = ""
    index_: int | None = None
    duration: int | None = None
    user_thumb_url: str = ""
    user_art_url: str = ""
    user_fields: str = ""
    tags_genre: str = ""
    originally_available_at: int | None = None
    refreshed_at: int | None = None
    year: int | None = None
    deleted_at: int | None = None
    extra_data: str | None = None
    hash: str = ""
    resources_changed_at: int = 0
    slug: str | None = None


class MediaItem(NamedTuple):
    """One version of an item; `duration` is in milliseconds, `size` and `bitrate` in bytes and bits a second."""

    id: int | None
    library_section_id: int | None
    section_location_id: int | None
    metadata_item_id: int
    container: str
    created_at: int
    updated_at: int
    hints: str = ""
    size: int | None = None
    duration: int | None = None
    bitrate: int | None = None
    width: int | None = None
    height: int | None = None
    video_codec: str = ""
    audio_codec: str = ""
    display_aspect_ratio: float | None = None
    frames_per_second: float | None = None
    audio_channels: int | None = None
    optimized_for_streaming: int | None = None
    media_analysis_version: int = 0
    deleted_at: int | None = None


class MediaPart(NamedTuple):
    """One file; `file` is its absolute path, `size` its bytes, `hash` 40 hex digits."""

    id: int | None
    media_item_id: int
    directory_id: int | None
    hash: str
    open_subtitle_hash: str
    file: Text
    size: int
    created_at: int
    updated_at: int
    index_: int | None = None
    duration: int | None = None
    deleted_at: int | None = None
    extra_data: str | None = None


class MediaStream(NamedTuple):
    """A video, audio or subtitle stream; a sidecar subtitle has the percent-encoded `file://` address in `url`."""

    id: int | None
    stream_type_id: int
    media_item_id: int
    media_part_id: int
    codec: str
    created_at: int
    updated_at: int
    url: str = ""
    language: str = ""
    index_: int | None = None
    channels: int | None = None
    bitrate: int | None = None
    default_: int = 0
    extra_data: str | None = None


class Tag(NamedTuple):
    """A genre, an actor … (`tag_type` 1 genre, 2 collection, 4 director, 6 actor, 314 external id)."""

    id: int | None
    tag: str
    tag_type: int
    created_at: int
    updated_at: int
    key: str = ""


class Tagging(NamedTuple):
    """The link of a tag to an item."""

    id: int | None
    metadata_item_id: int
    tag_id: int
    created_at: int
    index_: int | None = None
    text: str = ""


class Blob(NamedTuple):
    """The result of an analysis, in the blobs database (`blob_type` 5 intro fingerprint, 7 sonic vector)."""

    id: int | None
    blob: bytes
    linked_type: str
    linked_id: int
    created_at: int
    blob_type: int
