"""The simulator's time: it can run faster than real time, and in tests it is the event loop's own clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import anyio


class Clock:
    """Simulated time. One simulated second lasts `1 / scale` seconds of the event loop.

    `base` is the Unix time at which the simulation starts. Nothing in the simulator asks the operating system
    for the time, so a run in virtual time is the same every time.
    """

    def __init__(self, *, base: float | None = None, scale: float = 1.0) -> None:
        self.scale = scale
        self._frozen: anyio.Event | None = None
        self._base = time.time() if base is None else base
        self._started: float | None = None

    def monotonic(self) -> float:
        """Return the event loop's time in real seconds; on real loops this is the system's monotonic clock."""
        return anyio.current_time()

    def elapsed(self) -> float:
        """Return the simulated seconds since the clock was first asked."""
        now = anyio.current_time()
        if self._started is None:
            self._started = now
        return (now - self._started) * self.scale

    def now(self) -> float:
        """Return the simulated Unix time."""
        return self._base + self.elapsed()

    def stamp(self) -> int:
        """Return the simulated Unix time as Plex stores it: whole seconds."""
        return int(self.now())

    def date(self) -> datetime:
        """Return the simulated time as a date in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* of simulated time pass."""
        await anyio.sleep(seconds / self.scale)
        await self.thawed()

    @property
    def frozen(self) -> bool:
        """Whether everything that lives by this clock stands still."""
        return self._frozen is not None

    def freeze(self) -> None:
        """Stop everything that lives by this clock, as SIGSTOP would; used where there are no real processes."""
        self._frozen = self._frozen or anyio.Event()

    def thaw(self) -> None:
        """Let it go on."""
        if self._frozen:
            self._frozen.set()
            self._frozen = None

    async def thawed(self) -> None:
        """Wait while the clock is frozen."""
        while self._frozen:
            await self._frozen.wait()


class Costs:
    """Collects small costs and lets time pass only when they have become worth a sleep.

    A scan charges every folder and file; sleeping for each would cost the loop more than it simulates.
    """

    def __init__(self, clock: Clock, vary: Callable[[float], float], *, grain: float = 0.1) -> None:
        self._clock = clock
        self._vary = vary
        self._grain = grain
        self._owed = 0.0

    async def charge(self, seconds: float) -> None:
        """Owe *seconds* more; sleep when at least the grain is owed."""
        await self._clock.thawed()
        self._owed += seconds
        if self._owed >= self._grain:
            await self.settle()

    async def settle(self) -> None:
        """Sleep what is owed."""
        owed, self._owed = self._owed, 0.0
        if owed > 0:
            await self._clock.sleep(self._vary(owed))
