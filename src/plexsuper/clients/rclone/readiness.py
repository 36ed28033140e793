"""Hears from a child that it is ready: systemd's notify protocol, which rclone speaks the moment its mount stands.

The socket's name is abstract: no file is left when this process is killed, and no path can be too long for it.
"""

import asyncio
import os
import secrets
import socket
from typing import Self

import anyio


class Readiness:
    """A socket for one child; give it `name` as `NOTIFY_SOCKET`. Use as a context manager, inside a loop."""

    def __init__(self) -> None:
        self.ready = anyio.Event()
        name = f"plexsuper-{os.getpid()}-{secrets.token_hex(8)}"
        self.name = f"@{name}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{name}")

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _hear(self) -> None:
        try:
            said = self._socket.recv(64 * 1024)
        except BlockingIOError:
            return
        if b"READY=1" in said.split(b"\n"):
            self.ready.set()
