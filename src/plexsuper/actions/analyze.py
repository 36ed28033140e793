"""Analyse a section: media analysis of its items, which never includes the sonic one."""

from plexsuper.actions.call_off import cancel_activities
from plexsuper.clients.plex.server import Plex


async def start_analysis(plex: Plex, section: int) -> None:
    """Ask for the media analysis of *section*; never forced, or Plex would refresh all metadata (lesson L18)."""
    await plex.analyze(section)


async def stop_analysis(plex: Plex, section: int) -> None:
    """Cancel the analysis of *section* as far as Plex offers to."""
    await cancel_activities(plex, section, kinds=("media.generate.", "library."))
