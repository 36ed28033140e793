"""A line between a browser and a page that can be cut and mended, as lines on the way to a cloud machine are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Line:
    """Takes connections at `url` and hands them on to `target`, another such address."""

    target: str
    url: str = ""
    _port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def mend(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._hand_on, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/"

    def cut(self) -> None:
        """Break every connection, and take no more."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = urlsplit(self.target)
        other_reader, other_writer = await asyncio.open_connection(there.hostname, there.port)
        self._writers |= {writer, other_writer}
        with suppress(ConnectionError):
            await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))
        for one in (writer, other_writer):
            one.transport.abort()
        self._writers -= {writer, other_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def relay(target: str) -> AsyncIterator[Line]:
    """Give a line to *target* that is whole."""
    line = Line(target)
    await line.mend()
    try:
        yield line
    finally:
        line.cut()
