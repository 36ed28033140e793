"""Facts in flight: one publisher call reaches every subscription at once, and never waits.

A subscription owns a deque and one wake-up, which it uses again and again; that is four times faster than an
`asyncio.Queue` and cannot block the publisher. A subscription made with `limit` drops its oldest fact when it is
full and counts what it dropped: that is for faces, which may be slow. Decisions and evidence use subscriptions
without a limit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Self, TypeAlias, TypeVar

import anyio

from plexsuper.events import Event

T = TypeVar("T")
E = TypeVar("E")

Publish: TypeAlias = Callable[[Event], None]


class Subscription(Generic[T]):
    """The facts of some types, in the order in which they were published; iterate it, or wait for one."""

    def __init__(self, types: tuple[type[T], ...], limit: int | None) -> None:
        self._types = types
        self._facts: deque[T] = deque(maxlen=limit)
        self._news = asyncio.Event()
        self._enough: Callable[[Sequence[T]], bool] | None = None
        self._closed = False
        self.dropped = 0

    def offer(self, fact: object) -> None:
        """Take *fact* if it is one of ours; called by the bus."""
        if self._types and not isinstance(fact, self._types):
            return
        if len(self._facts) == self._facts.maxlen:
            self.dropped += 1
        self._facts.append(fact)  # type: ignore[arg-type]  # narrowed by the isinstance above
        if self._enough is None or self._enough(self._facts):
            self._news.set()

    @property
    def waiting(self) -> int:
        """How many facts lie here that nobody has taken."""
        return len(self._facts)

    def close(self) -> None:
        """End the iteration after the facts that are already here."""
        self._closed = True
        self._news.set()

    def take(self) -> tuple[T, ...]:
        """Return the facts that are already here, without waiting."""
        facts = tuple(self._facts)
        self._facts.clear()
        return facts

    async def gather(self, enough: Callable[[Sequence[T]], bool] = bool) -> bool:
        """Wait until *enough* was true of the facts that were here, and leave them here; False when there will be no more.

        *enough* is asked by the publisher whenever a fact is offered: who wants many at once is not woken for each. What
        comes between that and the waking lies behind those facts. Only one may wait for a subscription in this way.
        """
        if not (self._closed or enough(self._facts)):
            self._enough = enough
            self._news.clear()
            try:
                await self._news.wait()
            finally:
                self._enough = None
        return not self._closed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._facts:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._facts.popleft()

    async def first(self, wanted: Callable[[T], bool] = lambda _: True) -> T:
        """Wait for the first fact for which *wanted* is true; earlier ones are dropped."""
        async for fact in self:
            if wanted(fact):
                return fact
        raise anyio.EndOfStream


class Bus(Generic[E]):
    """Carries facts of type *E* from whoever noticed them to whoever wants them."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[object]] = []
        self._taps: list[Callable[[E], None]] = []

    def publish(self, fact: E) -> None:
        """Give *fact* to every subscription; never waits and may be called from any callback of the loop."""
        for tap in self._taps:
            tap(fact)
        for subscription in self._subscriptions:
            subscription.offer(fact)

    def tap(self, listener: Callable[[E], None]) -> None:
        """Call *listener* with every fact at the moment it is published, before any subscriber runs."""
        self._taps.append(listener)

    @contextmanager
    def subscribe(self, *types: type[T], limit: int | None = None) -> Iterator[Subscription[T]]:
        """Collect the facts of *types* (all if none is named) for as long as the block lasts."""
        subscription = Subscription(types, limit)
        self._subscriptions.append(subscription)  # type: ignore[arg-type]  # a subscription only reads facts
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)  # type: ignore[arg-type]  # same
            subscription.close()
