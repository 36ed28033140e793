"""How each monitor of a run is run with what the run works with."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Never

import anyio

from plexsuper.clients.library.owners import Owners
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.orders import Monitor
from plexsuper.kit import Kit
from plexsuper.monitors.container import watch_container
from plexsuper.monitors.frost import watch_frost
from plexsuper.monitors.mount import watch_mount
from plexsuper.monitors.notifications import watch_notifications
from plexsuper.monitors.progress import watch_progress
from plexsuper.monitors.scanner import watch_scanners
from plexsuper.monitors.server import watch_server
from plexsuper.monitors.storage import pace_of, watch_storage
from plexsuper.monitors.view import watch_view
from plexsuper.supervise import supervise


class Watches:
    """The monitors of one run."""

    def __init__(self, kit: Kit, owners: Owners) -> None:
        self._kit = kit
        self._owners = owners

    @property
    def all(self) -> Mapping[Monitor, Callable[[], Awaitable[Never]]]:
        """How each monitor is run."""
        return {
            Monitor.MOUNT: self._watch_mount,
            Monitor.FROST: self._watch_frost,
            Monitor.SERVER: self._watch_server,
            Monitor.NOTIFICATIONS: self._watch_notifications,
            Monitor.SCANNERS: self._watch_scanners,
            Monitor.PROGRESS: self._watch_progress,
        }

    async def _watch_frost(self) -> Never:
        kit = self._kit
        frost = partial(
            watch_frost, kit.bus.publish, freezer=kit.freezer, limit=kit.settings.guard.frozen_at_most
        )
        if kit.container is None:
            await frost()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(frost)
            await watch_view(
                kit.bus.publish,
                freezer=kit.freezer,
                open_probe=self._inside,
                deadline=kit.settings.media.deadline,
            )
        raise AssertionError("neither of them ends")

    def _inside(self) -> ContentProbe:
        """Return a probe that looks at the storage as the container sees it, without asking the engine."""
        kit = self._kit
        seen = kit.settings.plex.docker.media or str(kit.settings.media.path)
        samples = () if kit.mount is None else kit.mount.canaries.names
        return ContentProbe(Path(kit.runtime.inside(seen)), samples=samples)

    async def _watch_mount(self) -> Never:
        media, mount = self._kit.settings.media, self._kit.mount
        assert media.path is not None
        if mount is not None:
            pace = pace_of(self._kit.settings.profile)
            await watch_storage(self._kit.bus.publish, mount, pace=pace, patience=media.patience)
        table = self._kit.mount_table
        await watch_mount(
            self._kit.bus.publish,
            probe=self._kit.probe,
            path=media.path,
            every=media.every,
            deadline=media.deadline,
            patience=media.patience,
            changed=anyio.sleep_forever if table is None else table.changed,
        )

    async def _watch_server(self) -> Never:
        kit, timing = self._kit, self._kit.settings.timing
        server = partial(
            watch_server,
            kit.bus.publish,
            plex=kit.plex,
            runtime=kit.runtime,
            every=timing.poll_every,
            patience=timing.ready_patience,
            frozen=lambda: kit.freezer.frozen,
        )
        if kit.container is None:
            await server()
        every = timing.poll_every
        container = partial(watch_container, kit.bus.publish, container=kit.container, every=every)
        async with anyio.create_task_group() as tasks:  # the container lives as long as the server does
            tasks.start_soon(supervise, kit.bus.publish, "container", container)
            tasks.start_soon(supervise, kit.bus.publish, Monitor.SERVER.value, server)
        raise AssertionError("unreachable: monitors never end")

    async def _watch_notifications(self) -> Never:
        every = self._kit.settings.timing.poll_every
        await watch_notifications(self._kit.bus.publish, plex=self._kit.plex, every=every)

    async def _watch_scanners(self) -> Never:
        every = self._kit.settings.timing.sample_every
        runtime, placed = self._kit.runtime, self._owners.told
        await watch_scanners(self._kit.bus.publish, runtime=runtime, placed=placed, every=every)

    async def _watch_progress(self) -> Never:
        timing, source = self._kit.settings.timing, self._kit.library
        if source is not None:
            async with source.open() as library:
                await watch_progress(
                    self._kit.bus.publish,
                    library=library,
                    every=timing.sample_every,
                    full_every=timing.count_every,
                )
        while True:  # without a database there is nothing to sample
            await anyio.sleep_forever()
