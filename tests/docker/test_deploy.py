"""Proves on a real engine that a library moves into a Plex that is a container, and back when that does not live with it."""

from functools import partial

import anyio
import anyio.to_thread
import pytest

from plexsuper.deploy import Order, deploy, starting, stopping
from plexsuper.errors import ServerError
from tests.database_library import library_content
from tests.docker.lab import docker, lab
from tests.elsewhere import exported, names

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.blocking("prepares and compares databases between the deeds"),
]


async def test_a_library_moves_into_a_container_and_comes_back_out_of_it(engine, images, tmp_path):
    archive, content = exported(tmp_path)
    async with lab(engine, images) as here:
        await here.runtime(here.spec("--sections", "auto")).start()
        await here.ready()
        order = Order(
            archive=archive,
            target=str(here.layout.support),
            stop=stopping(here.name),
            start=starting(here.name),
            url=f"http://127.0.0.1:{here.port}",
            patience=30.0,
        )
        owner = here.layout.library.stat()
        done = await anyio.to_thread.run_sync(partial(deploy, order, say=print))
        assert done.sections == 8
        await here.ready()
        status = here.layout.library.stat()
        assert (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid)
        docker("stop", here.name)
        assert library_content(here.layout.databases) == content
        kept = names(here.layout.support)
        assert kept == [done.kept.rpartition("/")[2]]

        broken = partial(deploy, order_that_never_starts(order), say=print)
        with pytest.raises(ServerError, match="The old databases are in place, and Plex was started again"):
            await anyio.to_thread.run_sync(broken)
        docker("stop", here.name)
        assert library_content(here.layout.databases) == content
        assert names(here.layout.support) == kept


def order_that_never_starts(order):
    """Return *order* with a start command that says yes and does nothing, as a masked unit's wrapper might."""
    return Order(
        archive=order.archive, target=order.target, stop=order.stop, start="true", url=order.url, patience=2.0
    )
