"""Refresh the metadata of a section: an optional step of its own, never a by-product (lessons L18, L23)."""

from plexsuper.actions.call_off import cancel_activities
from plexsuper.clients.plex.server import Plex


async def start_refresh(plex: Plex, section: int) -> None:
    """Ask Plex to fetch the metadata of every item of *section* again."""
    await plex.scan(section, force=True)


async def stop_refresh(plex: Plex, section: int) -> None:
    """Ask Plex to stop refreshing *section*."""
    await plex.cancel_scan(section)
    await cancel_activities(plex, section, kinds=("library.",))
