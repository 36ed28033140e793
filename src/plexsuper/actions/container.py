"""Make sure that the server's container can be started, or take over the one that an earlier run has started."""

from plexsuper.actions.claim import Claims
from plexsuper.actions.pull import pull_image
from plexsuper.bus import Publish
from plexsuper.clients.docker.images import Images
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.events import ContainerAdopted


async def prepare_container(
    runtime: DockerRuntime, images: Images, claims: Claims | None, publish: Publish
) -> None:
    """Take over the container of *runtime* if it runs; else have its image here, and then the claim for a new server.

    Raises:
        ServerRefused: there is a container that is not ours, or not what the settings mean.
        PreflightError: the image cannot be pulled, or nobody can be asked for the claim.
        ServerAway: the engine does not answer.
    """
    if await adopt_container(runtime, publish):
        return
    await pull_image(images, runtime.container.spec.image, publish)
    if claims is not None:
        await claims.prepare()


async def adopt_container(runtime: DockerRuntime, publish: Publish) -> bool:
    """Take over the container of *runtime*, and say whether there is one that runs; raises as `prepare_container`."""
    adopted = await runtime.adopt()
    if adopted is None:
        return False
    state = adopted.state
    publish(
        ContainerAdopted(
            name=state.name, id=state.id, image=state.image, pid=state.pid, thawed=len(adopted.frozen)
        )
    )
    return True
