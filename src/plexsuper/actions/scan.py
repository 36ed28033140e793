"""Scan a section: look for new, changed and missing files."""

from plexsuper.actions.call_off import cancel_activities
from plexsuper.clients.plex.server import Plex


async def start_scan(plex: Plex, section: int, *, deep: bool) -> None:
    """Ask for a scan. *deep* asks for every file, also in directories that look unchanged (lesson F02).

    Plex has one switch for that, `force=1`, which also refreshes the metadata of every item.
    """
    await plex.scan(section, force=deep)


async def stop_scan(plex: Plex, section: int) -> None:
    """Ask Plex to stop scanning *section*, and cancel what the scan left behind."""
    await plex.cancel_scan(section)
    await cancel_activities(plex, section, kinds=("library.",))
