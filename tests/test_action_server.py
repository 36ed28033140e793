"""Bringing the server up and stopping it, against the embedded Plex in virtual time."""

from functools import partial

import anyio
import pytest

from plexsuper.actions.server import bring_up, stop_server
from plexsuper.bus import Bus
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerError, ServerRefused
from plexsuper.events import Event, PlexAttached, PlexReady, PlexStarted, PlexStopped, PlexWaiting
from plexsuper.monitors.server import watch_server
from plexsuper.simulator.memory import World
from plexsuper.state import Now, see
from tests.simulated import FILMS, QUIET, ask, in_world
from tests.story import MemoryLibrary, MemoryRuntime

SLOW = QUIET.but(refused_seconds=5.0, maintenance_seconds=20.0)


class Place(MemoryRuntime):
    """A place where nothing is seen to run until it is started; the server itself lives by its own clock."""

    def __init__(self, world: World, *, running: bool, can_start: bool = True) -> None:
        super().__init__(world, owned=False)
        self._running = running
        self._can_start = can_start
        self.starts = 0

    @property
    def pid(self) -> int | None:
        return super().pid if self._running else None

    async def start(self) -> int:
        if not self._can_start:
            raise ServerRefused("no Plex server runs here and plex.command is not set: start Plex, or set it")
        self.starts += 1
        self._running = self.owned = True
        return self.PID


class Attempt:
    """One attempt to bring a server up, beside the monitor that watches it."""

    def __init__(self, world: World, place: Place) -> None:
        self.world = world
        self.place = place
        self.facts: list[Event] = []
        self.now = Now()

    def note(self, fact: Event) -> None:
        self.facts.append(fact)
        self.now = see(self.now, fact)

    async def run(self, *, attached: bool = False, patience: float = 100.0) -> bool:
        bus: Bus[Event] = Bus()
        bus.tap(self.note)
        plex = Plex(self.world.transport(http))
        async with anyio.create_task_group() as tasks:
            watch = partial(watch_server, plex=plex, runtime=self.place, every=5.0, patience=100.0)
            tasks.start_soon(watch, bus.publish)
            found = await bring_up(
                bus,
                plex=plex,
                runtime=self.place,
                url="http://plex",
                now=lambda: self.now,
                patience=patience,
                attached=attached,
            )
            tasks.cancel_scope.cancel()
        return found

    def of(self, *types: type[Event]) -> list[Event]:
        return [fact for fact in self.facts if isinstance(fact, types)]


def test_a_server_that_runs_is_attached_to():
    async def story(world: World) -> None:
        attempt = Attempt(world, Place(world, running=True))
        assert await attempt.run() is True
        assert attempt.of(PlexAttached, PlexStarted) == [PlexAttached(url="http://plex")]
        assert attempt.place.starts == 0

    in_world(story)


@pytest.mark.lesson("L17")
def test_a_server_that_does_not_run_is_started_and_waited_for():
    async def story(world: World) -> None:
        attempt = Attempt(world, Place(world, running=False))
        assert await attempt.run() is False
        assert attempt.of(PlexStarted) == [PlexStarted(pid=100)]
        states = [fact.state for fact in attempt.facts if isinstance(fact, PlexWaiting)]
        assert list(dict.fromkeys(states)) == ["refused", "maintenance"]
        assert isinstance(attempt.facts[-1], PlexReady)

    in_world(story, knobs=SLOW, ready=False)


def test_a_server_in_maintenance_is_there_even_if_its_process_cannot_be_seen():
    async def story(world: World) -> None:
        await world.server.until("maintenance")
        attempt = Attempt(world, Place(world, running=False))
        assert await attempt.run() is True
        assert attempt.place.starts == 0

    in_world(story, knobs=SLOW, ready=False)


def test_a_server_that_was_attached_to_is_only_waited_for_and_never_started():
    async def story(world: World) -> None:
        attempt = Attempt(world, Place(world, running=False))
        assert await attempt.run(attached=True) is True
        assert attempt.place.starts == 0

    in_world(story, knobs=SLOW, ready=False)


def test_what_cannot_be_started_says_what_to_do():
    async def story(world: World) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await Attempt(world, Place(world, running=False, can_start=False)).run()
        assert caught.group_contains(ServerRefused, match=r"plex\.command is not set")

    in_world(story, knobs=SLOW, ready=False)


@pytest.mark.lesson("L17")
def test_a_server_that_does_not_get_ready_is_an_error_with_what_it_said_last_and_its_log():
    async def story(world: World) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await Attempt(world, Place(world, running=True)).run(patience=15.0)
        (error,) = caught.value.exceptions
        assert isinstance(error, ServerError)
        lines = str(error).splitlines()
        assert lines[0].startswith("Plex was not ready after 15 s; last seen after ")
        assert "maintenance, HTTP 503" in lines[0]
        assert lines[-1] == "  Starting Plex Media Server."

    in_world(story, knobs=SLOW, ready=False)


@pytest.mark.lesson("F08")
def test_only_a_server_of_ours_is_stopped_and_its_log_is_folded_into_the_database():
    async def story(world: World) -> None:
        library = MemoryLibrary(world)
        theirs = MemoryRuntime(world, owned=False)
        assert await stop_server(theirs, patience=10.0, library=library) is None
        assert world.server.listening
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(20)
        assert not await library.log_is_folded_in()
        ours = MemoryRuntime(world, owned=True)
        assert await stop_server(ours, patience=10.0, library=library) == PlexStopped(
            exit_code=0, wal_empty=True
        )
        assert not world.server.listening

    in_world(story, FILMS)
