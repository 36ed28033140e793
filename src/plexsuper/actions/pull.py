"""Get the server's image before anything that grows old is asked for: a claim lives for four minutes (lesson L42)."""

from typing import Final

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.docker.images import Images, PullProgress
from plexsuper.events import ImagePulled, ImagePullProgressed

_TELL_EVERY: Final = 2.0


async def pull_image(images: Images, name: str, publish: Publish) -> None:
    """Make sure that the image *name* is there and fits this engine; tell how far its pull is every other second.

    Raises:
        PreflightError: it cannot be pulled, or is for another processor; with the remedy.
        ServerAway: the engine does not answer.
    """
    began, told = anyio.current_time(), float("-inf")

    def progress(now: PullProgress) -> None:
        nonlocal told
        if anyio.current_time() - told >= _TELL_EVERY:
            told = anyio.current_time()
            publish(
                ImagePullProgressed(
                    image=name, layers=now.layers, layers_done=now.layers_done, done=now.done, total=now.total
                )
            )

    image = await images.find(name)
    already = image is not None
    if image is None:
        image = await images.pull(name, progress)
    await images.require_fit(name, image)
    seconds = anyio.current_time() - began
    publish(ImagePulled(image=name, id=image.id, size=image.size, seconds=seconds, already=already))
