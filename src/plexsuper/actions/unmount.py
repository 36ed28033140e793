"""Take the media storage away, in the right order and in bounded time."""

import anyio

from plexsuper.clients.storage.mount import Storage


async def unmount_storage(storage: Storage, *, goodbye: float = 10.0) -> bool:
    """Unmount *storage* and end its processes; False when that took longer than *goodbye* seconds and is left."""
    with anyio.move_on_after(goodbye, shield=True) as patience:
        await storage.unmount()
    return not patience.cancelled_caught
