"""One rclone and its mount in private: started, or taken over from a plexsuper that is gone."""

import os
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from plexsuper.clients.mounts.fusectl import FuseConnection
from plexsuper.clients.mounts.generation_record import GenerationRecord
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.clients.rclone.binary import Rclone
from plexsuper.clients.rclone.control import Address, Control, open_control
from plexsuper.clients.rclone.flags import MountWish, Options, command_line
from plexsuper.clients.rclone.log import LogTail
from plexsuper.clients.rclone.process import LeftProcess, RcloneProcess, birth_of, end_process, start_mount
from plexsuper.errors import StorageError

_LONGEST: Final = 100
"""A unix socket's path has at most 107 bytes; below a directory with a longer one the loopback is used."""

_READY_WITHIN: Final = 15.0
_ADDRESS_IN_LOG: Final = "Serving remote control on "


@dataclass(slots=True, kw_only=True)
class Generation:
    """One rclone and its staged mount. `device` is that of the mount, also where it is attached."""

    number: int
    directory: Path
    process: RcloneProcess
    log: LogTail
    control: Control
    device: str
    cache_dir: Path
    resources: AsyncExitStack
    adopted: bool = False

    @property
    def target(self) -> Path:
        """Where it is staged."""
        return self.directory / "mnt"

    @property
    def connection(self) -> FuseConnection:
        """The kernel's side of it."""
        return FuseConnection(self.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the generations of one storage are made; `digest` stands for all of it in a record."""

    rclone: Rclone
    wish: MountWish
    options: Options
    digest: str


async def start_generation(recipe: Recipe, number: int, directory: Path, cache_dir: Path) -> Generation:
    """Mount in *directory* and return when the mount stands and is written down; if cancelled, rclone is ended.

    Raises:
        StorageError: it does not mount, with its last words.
    """
    control, environment, address = _control(recipe.rclone, directory)
    command = command_line(
        recipe.rclone,
        recipe.wish,
        recipe.options,
        target=str(directory / "mnt"),
        control=control,
        cache_dir=cache_dir,
    )
    process, log = await start_mount(command, environment, directory / "log", within=_READY_WITHIN)
    try:
        if not address.url:
            address = Address(_address_in(log.last), address.user, address.password)
        record = GenerationRecord(
            number=number,
            pid=process.pid,
            birth=birth_of(process.pid) or 0,
            device=_device_at(directory / "mnt"),
            wish=recipe.digest,
            url=address.url,
            user=address.user,
            password=address.password,
            cache_dir=str(cache_dir),
        )
        await anyio.to_thread.run_sync(record.write, directory)
        return await _generation(directory, record, recipe.wish.remote, process, log)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await end_process(process)
        raise


async def take_over(directory: Path, record: GenerationRecord, remote: str) -> Generation:
    """Return the generation in *directory* whose rclone was started by somebody who is gone."""
    log = LogTail(str(directory / "log"))
    log.read()  # what it said to its last owner is no news
    process = LeftProcess(record.pid, record.birth)
    generation = await _generation(directory, record, remote, process, log)
    generation.adopted = True
    return generation


async def _generation(
    directory: Path, record: GenerationRecord, remote: str, process: RcloneProcess, log: LogTail
) -> Generation:
    resources = AsyncExitStack()
    address = Address(record.url, record.user, record.password)
    return Generation(
        number=record.number,
        directory=directory,
        process=process,
        log=log,
        control=await resources.enter_async_context(open_control(address, remote)),
        device=record.device,
        cache_dir=Path(record.cache_dir),
        resources=resources,
    )


def _control(rclone: Rclone, directory: Path) -> tuple[str, dict[str, str], Address]:
    """Where the remote control shall listen, what rclone is told in its environment, and what is known of the address."""
    if rclone.unix_control and len(os.fsencode(directory)) <= _LONGEST:
        url = f"unix://{directory}/rc"
        return url, {}, Address(url)
    address = Address("", secrets.token_hex(4), secrets.token_urlsafe(24))
    environment = {"RCLONE_RC_USER": address.user, "RCLONE_RC_PASS": address.password}
    return "127.0.0.1:0", environment, address


def _device_at(target: Path) -> str:
    device = next((mount.device for mount in reversed(read_mounts()) if mount.point == str(target)), None)
    if device is None:
        raise StorageError("rclone said that it is ready, and then its mount was gone")
    return device


def _address_in(lines: Sequence[str]) -> str:
    """Find where the remote control listens: the port was rclone's own choice, so that two never collide."""
    for line in lines:
        _, found, rest = line.partition(_ADDRESS_IN_LOG)
        if found:
            return rest.split()[0].rstrip("/")
    raise StorageError("rclone did not say where its remote control listens")
