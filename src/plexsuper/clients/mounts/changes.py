"""Hears from the kernel that something was mounted or unmounted, within a millisecond and without polling."""

import asyncio
import os
import select
from typing import Self

import anyio


class MountTable:
    """The kernel's word that the mount table changed; use as a context manager, inside a loop.

    `/proc/self/mountinfo` is always readable, so the loop may not watch it itself (that would be a busy loop):
    an epoll of its own watches it for exceptional news, and the loop watches that.
    """

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._table, select.EPOLLPRI | select.EPOLLERR)

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()
        os.close(self._table)

    async def changed(self) -> None:
        """Return when something has changed since the last call; read the table anew then."""
        await self._changed.wait()
        self._changed = anyio.Event()

    def _hear(self) -> None:
        self._epoll.poll(0)
        self._changed.set()
