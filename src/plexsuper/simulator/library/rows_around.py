"""The rows around the media: what accounts and the server did with it, and what was made of it; see `rows.py`."""

from typing import NamedTuple


class ItemSettings(NamedTuple):
    """What one account did with one item; it is bound to the guid and so survives the item."""

    id: int | None
    account_id: int
    guid: str
    view_count: int
    last_viewed_at: int | None
    created_at: int
    updated_at: int
    changed_at: int
    view_offset: int | None = None
    rating: float | None = None


class ItemView(NamedTuple):
    """One line of the watch history."""

    id: int | None
    account_id: int
    guid: str
    metadata_type: int
    library_section_id: int
    title: str
    viewed_at: int
    device_id: int = 1


class Activity(NamedTuple):
    """One finished background job."""

    id: int | None
    type: str
    title: str
    subtitle: str
    scheduled_at: int
    started_at: int
    finished_at: int
    cancelled: int = 0


class PlayQueue(NamedTuple):
    """What a client is playing; one for each client, account and type."""

    id: int | None
    client_identifier: str
    account_id: int
    metadata_type: int
    version: int
    total_items_count: int
    created_at: int
    updated_at: int


class PlayQueueItem(NamedTuple):
    """One place of a play queue."""

    id: int | None
    play_queue_id: int
    metadata_item_id: int
    order_: float


class Location(NamedTuple):
    """A place where photos were taken: a box of the R-tree."""

    id: int | None
    lat_min: float
    lat_max: float
    lon_min: float
    lon_max: float


class Word(NamedTuple):
    """A word that the spelling correction of titles knows."""

    id: int | None
    rank: int
    langid: int
    word: str
    k1: str | None
    k2: str
