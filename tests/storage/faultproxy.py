"""A TCP proxy that misbehaves on purpose: in front of a real S3 server it makes the network's and provider's faults.

What is unrealistic: a refusal comes from a closed port on the same host, a black hole swallows but keeps the
connection, and latency is added to each request and not to each packet.
"""

import asyncio
import json
import random
import socket
import struct
import sys
from contextlib import suppress

_RST_ON_CLOSE = struct.pack("ii", 1, 0)

_ERROR_BODY = (
    "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
)


class FaultProxy:
    """Forwards to *upstream* port; `mode` is pass, refuse, hole, reset, or an S3 error such as `503 SlowDown`."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.latency: tuple[float, float] = (0.0, 0.0)
        self.reset_rate = 0.0
        self.cut_after = 0
        self.connections = self.open = self.peak = self.requests = self.bytes_down = self.resets = 0
        self.mode = "pass"
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._random = random.Random(7)  # the same misfortunes in every run

    async def start(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def set(self, mode: str) -> None:
        """Behave like *mode* from now on, for the connections that are open too."""
        before, self.mode = self.mode, mode
        self._moved.set()
        self._moved = asyncio.Event()
        if mode == "refuse":
            await self._close_server()
        elif before == "refuse":
            await self.start()
        if mode in ("refuse", "reset"):
            self._abort_all()

    async def stop(self) -> None:
        await self._close_server()
        self._abort_all()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _abort_all(self) -> None:
        for writer in tuple(self._writers):
            self._reset(writer)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.resets += 1
        if (sock := writer.get_extra_info("socket")) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            if self.mode == "reset":
                self._reset(writer)
                return
            answers, upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
            pumps = [
                asyncio.create_task(self._up(reader, upstream, writer)),
                asyncio.create_task(self._down(answers, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the other side went away: that is what this is for
        finally:
            self.open -= 1
            self._writers.discard(writer)
            for each in (writer, upstream):
                if each is not None:
                    each.close()

    async def _up(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            self.requests += 1
            await self._hole()
            if self.mode[:1].isdigit():
                self._refuse_politely(client)
                continue
            if self.reset_rate and self._random.random() < self.reset_rate:
                self._reset(client)
                return
            if self.latency[1]:
                await asyncio.sleep(self._random.uniform(*self.latency))
            await self._hole()
            upstream.write(data)
            await upstream.drain()

    async def _down(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await answers.read(65536):
            await self._hole()
            if self.cut_after and sent + len(data) > self.cut_after:
                client.write(data[: max(0, self.cut_after - sent)])
                with suppress(OSError):
                    await client.drain()
                self._reset(client)
                return
            sent += len(data)
            self.bytes_down += len(data)
            client.write(data)
            await client.drain()

    def _refuse_politely(self, client: asyncio.StreamWriter) -> None:
        status, _, code = self.mode.partition(" ")
        body = _ERROR_BODY.format(code=code)
        client.write(
            f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    async def _hole(self) -> None:
        while self.mode == "hole":
            await self._moved.wait()


async def main(upstream: int) -> None:
    """Run as a process of its own: one JSON object a line sets attributes, each is answered with the counters."""
    proxy = await FaultProxy(upstream).start()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        names = ("port", "connections", "open", "peak", "requests", "bytes_down", "resets")
        print(json.dumps({name: getattr(proxy, name) for name in names}), flush=True)  # noqa: T201 - its protocol
        if not (line := await reader.readline()):
            break
        for name, value in json.loads(line).items():
            if name == "mode":
                await proxy.set(value)
            else:
                setattr(proxy, name, value)
    await proxy.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
