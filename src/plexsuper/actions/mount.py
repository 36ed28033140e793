"""Mount the media storage and say what was proved."""

from plexsuper.clients.storage.mount import Storage
from plexsuper.events import MountReady


async def mount_storage(storage: Storage) -> MountReady:
    """Mount *storage*, or take over what an earlier run left, and return when content was proved.

    If cancelled, nothing of a mount that was not proved yet is left.

    Raises:
        StorageError: it does not serve content; with what is wrong and the remedy.
    """
    mounted = await storage.mount()
    return MountReady(path=str(storage.point), detail=mounted.detail, latency=mounted.latency)
