"""Asks a running rclone through its remote control: past every cache of the mount, and never through the mount."""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from plexsuper.errors import StorageError

_STATUS: Final = re.compile(
    r"^rclone_http_status_code\{[^}]*code=\"(\d+)\"[^}]*\} ([0-9.e+]+)$", re.MULTILINE
)


class ControlAway(StorageError):
    """rclone's remote control does not listen: the process is gone or going."""


class BackendSilent(StorageError):
    """No answer within the deadline: the backend is silent, or rclone itself is stuck."""


class BackendRefused(StorageError):
    """rclone answered that it cannot; the message is what its backend said."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a remote control listens: `unix:///…` (who may connect is a matter of rights) or `http://127.0.0.1:…`."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """A file or directory as the remote itself tells; `path` relative to the remote's root."""

    path: str
    size: int
    directory: bool


@dataclass(frozen=True, slots=True)
class CoreStats:
    """rclone's own counters; `errors` counts transfers and questions, not failed listings of the mount."""

    errors: int
    last_error: str
    fatal: bool


class Control:
    """The remote control of the rclone that serves *remote*."""

    def __init__(self, session: aiohttp.ClientSession, base: str, remote: str) -> None:
        self._session = session
        self._base = base
        self._remote = remote

    async def alive(self, deadline: float) -> None:
        """Return when rclone itself answers; says nothing of its backend."""
        await self._ask("rc/noop", {}, deadline)

    async def pid(self, deadline: float) -> int:
        """Return the process that answers."""
        return int((await self._ask("core/pid", {}, deadline))["pid"])

    async def stat(self, path: str, deadline: float) -> RemoteEntry | None:
        """Ask the backend for the file *path* (one HEAD with S3); None: the backend says that it is not there."""
        answer = await self._ask(
            "operations/stat", {"fs": self._remote, "remote": path, "opt": {"filesOnly": True}}, deadline
        )
        item = answer.get("item")
        return None if item is None else _entry(item)

    async def list(self, path: str, deadline: float) -> tuple[RemoteEntry, ...]:
        """Return what the backend has directly below *path*."""
        options = {"noModTime": True, "noMimeType": True}
        answer = await self._ask(
            "operations/list", {"fs": self._remote, "remote": path, "opt": options}, deadline
        )
        return tuple(_entry(item) for item in answer.get("list") or ())

    async def forget(self, folders: Sequence[str], deadline: float) -> None:
        """Let the mount list *folders* and everything below them anew when somebody looks; the backend is not asked now."""
        await self._ask("vfs/forget", {f"dir{n}": folder for n, folder in enumerate(folders)}, deadline)

    async def core_stats(self, deadline: float) -> CoreStats:
        """Return rclone's counters."""
        said = await self._ask("core/stats", {}, deadline)
        return CoreStats(
            errors=int(said.get("errors", 0)),
            last_error=str(said.get("lastError", "")),
            fatal=bool(said.get("fatalError", False)),
        )

    async def vfs_stats(self, deadline: float) -> Mapping[str, Any]:
        """Return what the mount's caches hold, as rclone tells it; it hangs while a listing of the mount hangs."""
        return await self._ask("vfs/stats", {}, deadline)

    async def read_range(self, path: str, start: int, length: int, deadline: float) -> bytes:
        """Read *length* bytes of *path* from the backend: no cache of the mount or the kernel can answer for it."""
        where = f"/[{self._remote}]/{path}"
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        status, body = await self._send(
            "GET", quote(where, safe="/", errors="surrogateescape"), deadline, headers
        )
        if status not in (200, 206):
            raise BackendRefused(_error_in(body) or f"HTTP {status} for {path}")
        return body

    async def http_statuses(self, deadline: float) -> dict[int, int]:
        """Return how many answers of each HTTP status the backend gave; 0 stands for no answer at all."""
        _, body = await self._send("GET", "/metrics", deadline)
        counted: dict[int, int] = {}
        for code, number in _STATUS.findall(body.decode(errors="replace")):
            counted[int(code)] = counted.get(int(code), 0) + int(float(number))
        return counted

    async def _ask(self, question: str, arguments: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        status, body = await self._send("POST", f"/{question}", deadline, arguments=arguments)
        if status != 200:
            raise BackendRefused(_error_in(body) or f"HTTP {status} for {question}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> tuple[int, bytes]:
        url = URL(self._base + path, encoded=True)
        timeout = aiohttp.ClientTimeout(total=deadline)
        try:
            async with self._session.request(
                method, url, headers=headers, json=arguments, timeout=timeout
            ) as answer:
                return answer.status, await answer.read()
        except TimeoutError as error:  # before OSError, which it is a kind of
            raise BackendSilent(f"no answer within {deadline:g} s") from error
        except aiohttp.ClientPayloadError as error:
            raise BackendRefused("connection reset: the file's content ended too early") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ControlAway(
                f"rclone's remote control does not answer: {str(error) or repr(error)}"
            ) from error


@asynccontextmanager
async def open_control(address: Address, remote: str) -> AsyncIterator[Control]:
    """Give a `Control` of the rclone that listens at *address* and serves *remote*."""
    unix = address.url.startswith("unix://")
    connector = aiohttp.UnixConnector(address.url.removeprefix("unix://")) if unix else aiohttp.TCPConnector()
    headers = {}
    if address.user:
        known = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        headers["Authorization"] = f"Basic {known}"
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        yield Control(session, "http://rclone" if unix else address.url.rstrip("/"), remote)


def _entry(item: Mapping[str, Any]) -> RemoteEntry:
    return RemoteEntry(
        path=str(item["Path"]), size=int(item.get("Size", -1)), directory=bool(item.get("IsDir", False))
    )


def _error_in(body: bytes) -> str:
    """Return what rclone gives as the error, without the noise of several lines."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return " ".join(str(said.get("error", "")).split()) if isinstance(said, dict) else ""
