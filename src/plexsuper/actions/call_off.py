"""Cancel what a phase started in Plex and what would otherwise go on without us."""

from plexsuper.clients.plex.server import Plex


async def cancel_activities(plex: Plex, section: int, *, kinds: tuple[str, ...]) -> None:
    """Cancel the activities of *section* whose kind starts with one of *kinds* and which Plex lets us cancel."""
    for activity in await plex.activities():
        if activity.section == section and activity.cancellable and activity.kind.startswith(kinds):
            await plex.cancel_activity(activity.uuid)
