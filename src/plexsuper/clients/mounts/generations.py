"""Successive rclone mounts behind one mount point: each is staged in private, proved, and only then shown.

A reader of the mount point sees the old mount, then the new one, and nothing between: the new one is attached
beneath the old one, which is then taken away (Linux 6.5 and newer; about 0.4 ms). On older kernels the old one is
taken away first; for a quarter of a millisecond the guarded directory below refuses everybody but root.
What is attached is a copy of the staged mount: when rclone ends and unmounts its own, the copy answers with errors
instead of becoming an empty directory.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from plexsuper.clients.mounts.fusectl import show_connections
from plexsuper.clients.mounts.generation import Generation, Recipe, start_generation, take_over
from plexsuper.clients.mounts.guard import guard, real_point, relax
from plexsuper.clients.mounts.propagation import share, unshare
from plexsuper.clients.mounts.staging import Staging
from plexsuper.clients.mounts.syscalls import attach, can_move_beneath, clone, detach
from plexsuper.clients.mounts.table import Mount, read_mounts
from plexsuper.clients.rclone.binary import Rclone
from plexsuper.clients.rclone.flags import MountWish, mount_options
from plexsuper.clients.rclone.process import end_process
from plexsuper.errors import StorageError

_GOODBYE = 0.7
"""Seconds that an idle rclone may take to end by itself; it needs some milliseconds."""


class Generations:
    """The mounts at *point*.

    Args:
        point: The mount point that Plex (or its container, through the parent directory) sees.
        base: A directory of ours for sockets and staged mounts,.
        wish: What is mounted.
        rclone: What mounts it.
        share: Let containers see the mounts that bind the point's parent directory (`rslave`).
    """

    def __init__(
        self, *, point: Path, base: Path, wish: MountWish, rclone: Rclone, share: bool = False
    ) -> None:
        self.point = point
        self.wish = wish
        self._recipe = _recipe(rclone, wish)
        self._staging = Staging(base)
        self._share = share
        self._beneath = can_move_beneath()
        self.alive: list[Generation] = []

    async def open(self) -> None:
        """Take the place for staging and guard the mount point.

        Raises:
            StorageError: that is not possible, with the reason.
        """
        await anyio.to_thread.run_sync(self._open)

    def _open(self) -> None:
        show_connections()
        self.point = real_point(self.point)
        self._staging.open()
        try:
            self._require_no_stranger()
            if not self.attached():
                guard(self.point)
        except StorageError:
            self._staging.close()
            raise
        if self._share and share(self.point.parent):
            self._staging.remember_share()

    def _require_no_stranger(self) -> None:
        """Leave alone what somebody else has mounted here: it may serve others, and at our end it would be gone."""
        for mount in self.attached():
            if not self._staging.made(mount):
                raise StorageError(
                    f"{self.point} has a mount of somebody else ({mount.kind}, {mount.source}), which plexsuper does not take "
                    f"away: end it (umount {self.point}), choose another media.path, or use it as it is, without media.remote"
                )

    async def stage(self, beginning: Callable[[Path], None] = lambda _: None) -> Generation:
        """Start an rclone whose mount nobody sees yet. If cancelled, nothing of it is left.

        *beginning* is told where, before rclone is started.

        Raises:
            StorageError: it does not mount, with its last words.
        """
        number = await anyio.to_thread.run_sync(self._staging.next_number)
        directory = self._staging.root / f"gen-{number}"
        await anyio.to_thread.run_sync(lambda: (directory / "mnt").mkdir(parents=True))
        staged = False
        try:
            beginning(directory / "mnt")
            generation = await start_generation(self._recipe, number, directory, self._free_cache_dir())
            await anyio.to_thread.run_sync(self._staging.remember, generation.device)
            staged = True
        finally:
            if not staged:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._staging.remove, directory)
        self.alive.append(generation)
        return generation

    async def adopt(self) -> Generation | None:
        """Take over a mount of an earlier run that is as we want it and shown; everything else is ended and removed."""
        found = await anyio.to_thread.run_sync(self._staging.left)
        adopted = None
        for directory, record in reversed(found):
            shown = any(mount.device == record.device for mount in self.attached())
            if adopted is None and shown and record.wish == self._recipe.digest:
                adopted = await take_over(directory, record, self.wish.remote)
                self.alive.append(adopted)
        keep = None if adopted is None else adopted.directory
        await anyio.to_thread.run_sync(self._staging.sweep, keep)
        return adopted

    def attached(self) -> tuple[Mount, ...]:
        """Return what is mounted at the point, from the bottom to the top."""
        return tuple(mount for mount in read_mounts() if mount.point == str(self.point))

    def shows(self, generation: Generation) -> bool:
        """Say whether who looks at the point sees *generation*."""
        attached = self.attached()
        return bool(attached) and attached[-1].device == generation.device

    def show(self, generation: Generation) -> None:
        """Attach *generation* at the point and take away what was there; takes about 0.4 ms and never hangs."""
        tree = clone(str(generation.target))
        try:
            before = len(self.attached())
            if before and self._beneath:
                attach(tree, str(self.point), beneath=True)
                detach(str(self.point))
            else:
                for _ in range(before):
                    detach(str(self.point))
                attach(tree, str(self.point))
        except OSError as error:
            raise StorageError(f"{self.point}: {error.strerror}") from error
        finally:
            os.close(tree)

    async def end(self, generation: Generation, *, drain: float = 0.0, forget_cache: bool = False) -> bool:
        """End *generation*, which nobody is shown any more, and remove it; False when its process cannot die.

        Open files go on being read for at most *drain* seconds, or until this is cancelled: rclone ends by itself
        when the last one is closed. With *forget_cache* its cache is removed too.
        """
        try:
            if drain > 0:
                with suppress(OSError):  # somebody was faster, or rclone has ended
                    detach(str(generation.target))
                with anyio.move_on_after(drain):
                    await generation.process.wait()
        finally:
            with anyio.CancelScope(shield=True):
                ended = await self._remove(generation, forget_cache=forget_cache)
        return ended

    async def _remove(self, generation: Generation, *, forget_cache: bool) -> bool:
        await generation.resources.aclose()
        ended = await end_process(generation.process)
        if not ended:
            generation.connection.abort()
            ended = await end_process(generation.process)
        if generation in self.alive:
            self.alive.remove(generation)
        await anyio.to_thread.run_sync(self._staging.remove, generation.directory)
        if forget_cache and ended:
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(generation.cache_dir, ignore_errors=True))
        return ended

    async def close(self) -> None:
        """Take everything away from the point, end every generation, and leave nothing behind."""
        with anyio.CancelScope(shield=True):
            for _ in self.attached():
                try:
                    detach(str(self.point))
                except OSError as error:
                    if error.errno != errno.EINVAL:  # somebody else was faster
                        raise
            async with anyio.create_task_group() as tasks:
                for generation in tuple(self.alive):
                    tasks.start_soon(partial(self.end, generation, drain=_GOODBYE))
            await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        if self._staging.shared:
            unshare(self.point.parent)
        relax(self.point)
        self._staging.sweep()
        self._staging.close()

    def _free_cache_dir(self) -> Path:
        """The first cache that no living rclone has: two on one would damage it, and a dead one's is still warm."""
        taken = {generation.cache_dir for generation in self.alive if not generation.process.ended()}
        slots = (self.wish.cache_dir / f"cache-{number}" for number in range(1, len(taken) + 2))
        return next(slot for slot in slots if slot not in taken)


def _recipe(rclone: Rclone, wish: MountWish) -> Recipe:
    options = mount_options(wish, rclone)
    parts = (wish.remote, str(wish.config), str(rclone), str(sorted(options.items())))
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return Recipe(rclone=rclone, wish=wish, options=options, digest=digest)
