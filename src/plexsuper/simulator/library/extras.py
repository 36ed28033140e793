"""Rows that belong to no section a user sees: streamed trailers, placeholders. Counts without a section filter trip here."""

from plexsuper.kinds import MetadataType
from plexsuper.simulator.library.catalogue import Catalogue
from plexsuper.simulator.library.rows import MediaItem, MediaPart
from plexsuper.simulator.library.values import file_hash

_PLACEHOLDERS = 3


def add_trailer(catalogue: Catalogue, film: str, number: int, *, at: int) -> int:
    """Add a trailer of *film* that is streamed from Plex: no section, no folder, no local file; return its id."""
    address = f"iva://api.internetvideoarchive.com/2.0/DataService/{file_hash(film)[:8]}{number}"
    item = catalogue.add_item(
        None, MetadataType.CLIP, f"{film} trailer {number}", address, media_item_count=1
    )
    version = catalogue.add(MediaItem(None, None, None, item, "mp4", at, at))
    catalogue.add(MediaPart(None, version, None, file_hash(address), "", "", 0, at, at))
    return item


def add_placeholders(catalogue: Catalogue) -> None:
    """Add the rows of sections -2 and -1 that every server has; three of them pretend to be tracks."""
    for number in range(_PLACEHOLDERS):
        catalogue.add_item(-2, MetadataType.TRACK, "tv.plex.agents", f"library://{number}")
    catalogue.add_item(
        -1, MetadataType.OPTIMIZED_VERSION, "Background Processing List", "background processing"
    )
