"""Tells a monitor of jobs (healthchecks.io and those like it) that the run began, goes on, and how it ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import aiohttp
from pydantic import SecretStr
from yarl import URL

Sign: TypeAlias = Literal["start", "success", "fail"]


class Ping:
    """The monitor at one secret address."""

    def __init__(self, session: aiohttp.ClientSession, url: SecretStr) -> None:
        self._session = session
        self._url = URL(url.get_secret_value())

    async def tell(self, sign: Sign, said: str = "") -> str:
        """Send *sign* with what is *said* as its body; return what went wrong, without the address, or nothing."""
        url = self._url if sign == "success" else (self._url / sign).with_query(self._url.query)
        try:
            async with self._session.post(url, data=said.encode()[:10_000], allow_redirects=False) as answer:
                return "" if answer.status < 300 else f"the monitor answered with HTTP {answer.status}"
        except TimeoutError:
            return "the monitor does not answer"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"the monitor cannot be reached ({type(error).__name__})"


@asynccontextmanager
async def open_ping(url: SecretStr, *, deadline: float = 10.0) -> AsyncIterator[Ping]:
    """Give the monitor at *url*; an answer that takes longer than *deadline* seconds is none."""
    timeout = aiohttp.ClientTimeout(total=deadline)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        yield Ping(session, url)
