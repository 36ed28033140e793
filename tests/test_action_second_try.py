"""How a second try goes about files that cannot be read, and a Plex that takes requests and does nothing."""

from collections.abc import Sequence
from functools import partial

import anyio
import pytest
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.actions.analyze import start_analysis, stop_analysis
from plexsuper.actions.leftovers import Leftovers
from plexsuper.actions.phase import Request
from plexsuper.actions.second_try import SecondTries
from plexsuper.bus import Bus
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.decisions.evidence import Evidence, counted
from plexsuper.decisions.settle import Patience
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase, PhaseReport, SectionRef
from tests.simulated import QUIET, TOKEN, ask, in_world
from tests.story import MemoryLibrary

FILMS = SectionRef(id=1, title="Movies")
SHELF = Shelf("Movies", SectionType.MOVIE, known=40)
DONE = PhaseReport(phase=Phase.ANALYZE, outcome=Outcome.DONE, seconds=7.0)


class Second:
    """The second try of an analysis that has left about half of the films; *unread* says what cannot be read again."""

    def __init__(self, world: World, unread: Sequence[int] = ()) -> None:
        self.world = world
        self.told: list[e.Event] = []
        self.warmed: list[str] = []
        self._unread = unread
        self._library = MemoryLibrary(world)
        self._plex = Plex(world.transport(http))
        self._plex.token = SecretStr(TOKEN)
        self._bus: Bus[e.Event] = Bus()
        self._bus.tap(self.told.append)
        self._tries = SecondTries(self._plex, self._bus, warm=self._warm, limit=lambda: 8)

    async def run(self) -> PhaseReport:
        """Let Plex analyse the section, then try again."""
        leftovers = Leftovers(FILMS, Phase.ANALYZE, library=self._library)
        await ask(self.world, "PUT", "/library/sections/1/analyze")
        while len(self.world.truth.of("analysis.ended")) < SHELF.known / QUIET.analysis_batch:  # noqa: ASYNC110 - it waits for a record
            await anyio.sleep(0.25)
        request = Request(
            section=FILMS,
            phase=Phase.ANALYZE,
            attempt=1,
            patience=Patience(),
            ask=partial(start_analysis, self._plex, 1),
            call_off=partial(stop_analysis, self._plex, 1),
            look=self._look,
            again=_not_for_a_part,
        )
        return await self._tries.after(DONE, request, leftovers)

    def asked(self) -> list[int]:
        """Return the items that Plex was asked for."""
        return [item for entry in self.world.truth.of("analyze.item") for item in entry["items"]]

    async def _warm(self, _: SectionRef, files: Sequence[str]) -> frozenset[str]:
        await anyio.lowlevel.checkpoint()
        self.warmed += files
        return frozenset(files[number] for number in self._unread)

    async def _look(self) -> tuple[Evidence, ...]:
        activities = e.ActivitiesChanged(running=await self._plex.activities())
        async with self._library.open() as library:
            return (activities, counted(await library.section_counts(1)))


async def _not_for_a_part() -> bool:
    raise AssertionError("what is asked for a second time is not asked for a third time")


def second_try(knobs: Knobs, *, unread: Sequence[int] = ()) -> tuple[Second, PhaseReport]:
    async def play(world: World) -> tuple[Second, PhaseReport]:
        second = Second(world, unread)
        return second, await second.run()

    return in_world(play, SHELF, knobs=knobs)


COLD = QUIET.but(analysis_failures=0.5, failing_opens=1)


@pytest.mark.lesson("F01")
def test_files_are_warmed_before_they_are_asked_for_and_those_that_cannot_be_read_are_not_asked_for():
    second, _ = second_try(COLD, unread=(0, 2))
    left = len(second.warmed)
    assert 10 < left < 30
    assert len(second.asked()) == left - 2
    (told,) = (fact for fact in second.told if isinstance(fact, e.SectionFilesRetried))
    assert told.files == left - 2


def test_when_no_file_can_be_read_plex_is_asked_for_nothing():
    second, report = second_try(COLD.but(analysis_failures=0.05, failing_opens=1), unread=(0, -1))
    assert 1 <= len(second.warmed) <= 2
    assert second.asked() == []
    assert second.told == []
    assert report == DONE


def test_a_plex_that_takes_requests_and_does_nothing_is_not_asked_for_ever():
    second, report = second_try(COLD.but(analysis_queue=10_000.0))
    assert second.asked() != []
    assert len(second.asked()) == 16  # two batches of eight, of which nothing was seen
    assert report.outcome is Outcome.DONE
    assert 7.0 + 60.0 <= report.seconds < 7.0 + 65.0
