"""The faults that storage can have, each with how it is made, how it is healed and what must be said of it."""

import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import anyio

from plexsuper.clients.mounts.syscalls import detach, mount_kind
from plexsuper.clients.storage.mount import Storage
from plexsuper.events import MountFault
from tests.storage.stack import Stack

Deed = Callable[[Stack, Storage], Coroutine[Any, Any, None]]


async def _nothing(_stack: Stack, _storage: Storage) -> None:
    """Heal nothing: what has happened is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; `within`: seconds in which it must be reported; `renewed`: a new mount is the cure."""

    name: str
    inflict: Deed
    reason: MountFault
    within: float
    renewed: bool = False
    heal: Deed = _nothing
    prepare: Deed = _nothing
    more: tuple[str, ...] = ()
    quick: bool = True


def _pid(storage: Storage) -> int:
    assert storage.current is not None
    return storage.current.process.pid


async def _kill(_stack: Stack, storage: Storage) -> None:
    os.kill(_pid(storage), signal.SIGKILL)


async def _stop(_stack: Stack, storage: Storage) -> None:
    os.kill(_pid(storage), signal.SIGSTOP)


async def _unmount(_stack: Stack, storage: Storage) -> None:
    detach(str(storage.point))


def _network(mode: str) -> Deed:
    async def deed(stack: Stack, _storage: Storage) -> None:
        await stack.proxy.set(mode)

    return deed


async def _bad_key(stack: Stack, _storage: Storage) -> None:
    await stack.serve(secret_key="was-revoked-meanwhile-1")


async def _good_key(stack: Stack, _storage: Storage) -> None:
    await stack.serve()


async def _delete_bucket(stack: Stack, _storage: Storage) -> None:
    stack.bucket.rename(stack.root / "deleted")


async def _undelete_bucket(stack: Stack, _storage: Storage) -> None:
    (stack.root / "deleted").rename(stack.bucket)


async def _empty_bucket(stack: Stack, storage: Storage) -> None:
    await _delete_bucket(stack, storage)
    stack.bucket.mkdir()


async def _fill_bucket(stack: Stack, storage: Storage) -> None:
    stack.bucket.rmdir()
    await _undelete_bucket(stack, storage)


async def _cut(stack: Stack, _storage: Storage) -> None:
    stack.proxy.cut_after = 30_000


async def _do_not_cut(stack: Stack, _storage: Storage) -> None:
    stack.proxy.cut_after = 0


async def _small_cache(stack: Stack, _storage: Storage) -> None:
    cache = stack.root / "cache"
    cache.mkdir()
    mount_kind("tmpfs", str(cache), "size=4m")
    big = stack.bucket / "Films" / "Dune (1984).mkv"
    big.write_bytes(b"d" * 12_000_000)


async def _fill_cache(_stack: Stack, storage: Storage) -> None:
    await anyio.run_process(["cat", str(storage.point / "Films" / "Dune (1984).mkv")], check=False)


FAULTS = (
    Fault(name="rclone killed", inflict=_kill, reason="dead", within=0.5, renewed=True),
    Fault(name="unmounted by somebody else", inflict=_unmount, reason="dead", within=0.5),
    Fault(name="rclone stopped", inflict=_stop, reason="hung", within=3.0, renewed=True),
    Fault(name="bad key", inflict=_bad_key, heal=_good_key, reason="auth", within=6.0),
    Fault(
        name="bucket deleted",
        inflict=_delete_bucket,
        heal=_undelete_bucket,
        reason="data_suspect",
        within=6.0,
    ),
    Fault(name="bucket emptied", inflict=_empty_bucket, heal=_fill_bucket, reason="data_suspect", within=6.0),
    Fault(
        name="S3 refused",
        inflict=_network("refuse"),
        heal=_network("pass"),
        reason="backend_down",
        within=10.0,
    ),
    Fault(
        name="S3 black hole",
        inflict=_network("hole"),
        heal=_network("pass"),
        reason="backend_down",
        within=10.0,
    ),
    Fault(
        name="S3 resets",
        inflict=_network("reset"),
        heal=_network("pass"),
        reason="backend_down",
        within=10.0,
        quick=False,
    ),
    Fault(
        name="S3 overloaded (503)",
        inflict=_network("503 SlowDown"),
        heal=_network("pass"),
        reason="backend_down",
        within=10.0,
        quick=False,
    ),
    Fault(
        name="connections cut in the middle of files",
        inflict=_cut,
        heal=_do_not_cut,
        reason="network_reset",
        within=15.0,
    ),
    Fault(
        name="cache disk full",
        prepare=_small_cache,
        inflict=_fill_cache,
        reason="cache_full",
        within=6.0,
        renewed=True,
    ),
)
"""Slow storage is not among them: it is no fault (a test of its own)."""
