"""The server as the world sees it: nobody listens, 503, still starting, ready, hanging, crashed, back, stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import anyio

from plexsuper.errors import ServerAway
from plexsuper.simulator.api.routes import answer, maintenance, may_ask
from plexsuper.simulator.identity import PreferencesFile, first_run, token_attributes
from plexsuper.simulator.life import Life, Place, live
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.notifications import Listener

State: TypeAlias = Literal["off", "maintenance", "starting", "ready"]

_CONTAINER_START = (
    "[s6-init] making user provided files available at /var/run/s6/etc...exited 0.",
    "[s6-init] ensuring user provided files have correct perms...exited 0.",
    "[fix-attrs.d] applying ownership & permissions fixes...",
    "[fix-attrs.d] done.",
    "[cont-init.d] executing container initialization scripts...",
    "[cont-init.d] 40-plex-first-run: executing...",
)
_CONTAINER_STARTED = (
    "Plex Media Server first run setup complete",
    "[cont-init.d] 40-plex-first-run: exited 0.",
    "[cont-init.d] done.",
    "[services.d] starting services",
    "[services.d] done.",
)


def prepare(place: Place, file: PreferencesFile) -> bool:
    """Do what the container's first-run script does; say whether the server has a token, or will have one."""
    granted = place.knobs.claim_answer == "granted"
    token_due = first_run(file, place.account, place.rng, granted=granted, out=place.logs.console)
    if token_due and place.knobs.token_after == 0:
        file.change(token_attributes(place.account))
    return token_due


class Server:
    """One simulated server; `handle` answers requests whatever carries them."""

    def __init__(self, place: Place, *, service: bool = False) -> None:
        self.place = place
        self._service = service
        self.state: State = "off"
        self.life: Life | None = None
        self.changed = anyio.Event()
        """Set, and replaced, whenever `state` changes."""
        self._end = anyio.Event()
        self._down: float | None = None
        self._hang_from: float | None = None
        self.lives = 0
        """How often it was started."""
        self.over = False
        """Whether its process has ended: it was stopped, or crashed and does not come back."""

    @property
    def listening(self) -> bool:
        """Whether the port is open; when it is not, connections are refused."""
        return self.state != "off"

    @property
    def exit_code(self) -> int:
        """0 after a stop, 139 after a crash from which the server does not come back."""
        return 0 if self._down is None else 139

    async def run(self) -> None:
        """Run until `stop`, or until a crash from which the server does not come back."""
        self.over = False
        if self._end.is_set():  # it has ended before, and is started again
            self._end, self._down = anyio.Event(), None
        file = PreferencesFile(self.place.layout.preferences)
        if self._service:
            self._token_due = "PlexOnlineToken" in file.values
        else:
            self._container_starts(file)
        while True:
            await self._live(file)
            if self._down is None or self._down < 0:
                self.over = True
                self.changed.set()
                self.changed = anyio.Event()
                return
            await self.place.clock.sleep(self._down)
            self._down = None
            self._end = anyio.Event()

    def stop(self) -> None:
        """Stop as SIGTERM does: the databases are closed properly."""
        self._end.set()

    def crash(self, down: float | None = None) -> None:
        """Die now, and be back after *down* simulated seconds; negative: never; default: as the knobs say."""
        if not self._end.is_set():
            self._down = self.place.knobs.crash_down if down is None else down
            self.place.truth.record("server.crashed")
            self.place.logs.console(
                "****** PLEX MEDIA SERVER CRASHED, CRASH REPORT WRITTEN: /config/crash.dmp"
            )
            self._end.set()

    def _crash_as_ordered(self) -> None:
        """Do what the crash knobs order, in as many lives as they say."""
        times = self.place.knobs.crash_times
        if not times or self.lives <= times:
            self.crash()

    async def until(self, state: State) -> None:
        """Wait until the server is in *state*."""
        while self.state != state:
            await self.changed.wait()

    async def handle(self, request: Request) -> Response:
        """Answer a request. Only for a server that listens."""
        await self._obstruct()
        if self.life is None:
            return maintenance(self.place.knobs)
        if request.method != "GET":
            self.place.truth.record(
                "request", method=request.method, path=request.path, query=list(request.query)
            )
        return await answer(self.life, request)

    def socket_status(self, request: Request) -> int:
        """Return the status that refuses a notification socket, 0 when it may be opened."""
        if self.life is None or self.place.knobs.sockets_refused:
            return 503
        return 0 if may_ask(self.life, request) else 401

    @contextmanager
    def listen(self, filters: str = "") -> Iterator[Listener]:
        """Open a notification socket; it is cut when the server ends, or after its life (knob)."""
        if self.life is None:
            raise ServerAway("the simulated server is not up; ask socket_status first")
        core = self.life.core
        with core.notifications.listen(filters) as listener:
            if core.knobs.socket_life:
                core.tasks.start_soon(self._cut_later, listener)
            yield listener

    async def _cut_later(self, listener: Listener) -> None:
        await self.place.clock.sleep(self.place.knobs.socket_life)
        listener.cut()

    async def _obstruct(self) -> None:
        clock, knobs = self.place.clock, self.place.knobs
        await clock.thawed()
        if knobs.answer_delay:
            await clock.sleep(knobs.answer_delay)
        if self._hang_from is not None and clock.elapsed() >= self._hang_from:
            left = self._hang_from + knobs.hang_for - clock.elapsed()
            if not knobs.hang_for:
                await anyio.sleep_forever()
            elif left > 0:
                await clock.sleep(left)

    async def _live(self, file: PreferencesFile) -> None:
        knobs, clock = self.place.knobs, self.place.clock
        self.lives += 1
        self._say("Starting Plex Media Server.")
        self.place.truth.record("server.started", life=self.lives)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._until_end, tasks.cancel_scope)
                await clock.sleep(knobs.refused_seconds)
                self._go("maintenance")
                await clock.sleep(knobs.maintenance_seconds)
                async with live(self.place, file, self._crash_as_ordered) as life:
                    self._greet()
                    self.life = life
                    try:
                        await self._serve(life)
                    finally:
                        await self._take_leave()
        finally:
            self.life = None
            self._go("off")
            self.place.truth.record("server.stopped")
            self._say("Stopping Plex Media Server.")

    async def _serve(self, life: Life) -> None:
        knobs, clock = self.place.knobs, self.place.clock
        if self._token_due and not life.claimed and knobs.token_after >= 0:
            life.core.tasks.start_soon(self._token, life)
        self._go("starting")
        await clock.sleep(knobs.starting_seconds)
        life.ready = True
        self._go("ready")
        self.place.truth.record("server.ready")
        if knobs.hang_after >= 0:
            self._hang_from = clock.elapsed() + knobs.hang_after
        await anyio.sleep_forever()

    async def _token(self, life: Life) -> None:
        await self.place.clock.sleep(self.place.knobs.token_after)
        life.adopt_token()

    async def _until_end(self, scope: anyio.CancelScope) -> None:
        await self._end.wait()
        scope.cancel()

    async def _take_leave(self) -> None:
        """Take the time that a stop needs before the databases are closed; a crash needs none."""
        self.life = None
        if self._down is None and self.place.knobs.stop_seconds:
            with anyio.CancelScope(shield=True):
                await self.place.clock.sleep(self.place.knobs.stop_seconds)

    def _say(self, line: str) -> None:
        """Print what the container's own scripts print, unless there are such scripts."""
        if not self._service:
            self.place.logs.console(line)

    def _container_starts(self, file: PreferencesFile) -> None:
        place = self.place
        for line in _CONTAINER_START:
            place.logs.console(line)
        self._token_due = prepare(place, file)
        for line in _CONTAINER_STARTED:
            place.logs.console(line)

    def _greet(self) -> None:
        logs = self.place.logs
        logs.server("Opening 20 database sessions to library (com.plexapp.plugins.library), SQLite 3.53.0")
        logs.server("HttpServer: Listening on port 32400.", level="INFO")
        logs.server("BPQ: [Idle] -> [Starting]")

    def _go(self, state: State) -> None:
        self.state = state
        self.changed.set()
        self.changed = anyio.Event()
