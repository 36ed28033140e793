"""Sends messages about a run, and signs of life to a monitor of jobs."""

from collections import deque
from functools import partial
from typing import Final

import anyio
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.audience.telling import Tell
from plexsuper.bus import Subscription
from plexsuper.clients.messenger import send_message
from plexsuper.clients.ping import Ping, Sign, open_ping
from plexsuper.config.tables import NotifySettings
from plexsuper.faces.attention import Attention, Message
from plexsuper.faces.status import status
from plexsuper.state import Now
from plexsuper.stream import Envelope

DEADLINE: Final = 15.0
"""So many seconds a message may take; the last one has to fit into the end of a run."""

_WAITING: Final = 20
_RETRY: Final = 60.0


async def keep_notified(notify: NotifySettings, facts: Subscription[Envelope], tell: Tell) -> None:
    """Send what *facts* give a reason for; one that cannot be sent is tried once more, the last one not."""
    attention = Attention(notify.when, storage_after=notify.storage_after)
    outbox = _Outbox([url.get_secret_value() for url in notify.urls], tell)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.keep_sending)
        async for envelope in facts:
            for message in attention.see(envelope):
                outbox.put(message)
        outbox.close()


class _Outbox:
    """Messages that are to be sent, one after the other; the oldest go when nobody takes them."""

    def __init__(self, urls: list[str], tell: Tell) -> None:
        self._urls = urls
        self._tell = tell
        self._messages: deque[Message] = deque(maxlen=_WAITING)
        self._news = anyio.Event()
        self._closed = anyio.Event()

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self._news.set()

    def close(self) -> None:
        self._closed.set()
        self._news.set()

    async def keep_sending(self) -> None:
        while self._messages or not self._closed.is_set():
            if not self._messages:
                await self._news.wait()
                self._news = anyio.Event()
                continue
            if self._closed.is_set():  # the end is what counts when there is time for one
                self._messages = deque([self._messages[-1]], maxlen=_WAITING)
            await self._deliver(self._messages.popleft())

    async def _deliver(self, message: Message) -> None:
        send = partial(send_message, self._urls, title=message.title, body=message.body, good=message.good)
        fault = await send(deadline=DEADLINE)
        self._tell(fault, again=_RETRY)
        if fault and not self._closed.is_set():
            with anyio.move_on_after(_RETRY):
                await self._closed.wait()
            if not self._closed.is_set():
                self._tell(await send(deadline=DEADLINE), again=_RETRY)


async def keep_pinging(url: SecretStr, every: float, facts: Subscription[Envelope], tell: Tell) -> None:
    """Tell the monitor at *url* that the run began, every *every* seconds that it goes on, and how it ended.

    A run that ends without a verdict, because plexsuper failed, ended badly.
    """
    last: e.RunFinished | None = None
    now = Now()

    async def go_on(ping: Ping) -> None:
        while True:
            tell(await ping.tell("start", status(now)), again=every)
            await anyio.sleep(every)

    async with open_ping(url, deadline=DEADLINE / 2) as ping:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(go_on, ping)
                async for envelope in facts:
                    now = envelope.now
                    last = envelope.event if isinstance(envelope.event, e.RunFinished) else last
                tasks.cancel_scope.cancel()
        finally:
            sign: Sign = "success" if last is not None and last.exit_code == 0 else "fail"
            with anyio.move_on_after(DEADLINE, shield=True):
                tell(await ping.tell(sign, status(now)), again=every)
