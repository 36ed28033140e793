"""The frame of a phase: when a cancelled one lets go of Plex, and that it believes no look for ever. (When one is done is proved with `settle`.)"""

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.phase import carry_out
from plexsuper.bus import Bus
from plexsuper.decisions.evidence import Evidence
from plexsuper.decisions.settle import Patience
from plexsuper.errors import ServerAway
from plexsuper.terms import Outcome, Phase, PhaseReport, Scanner, ScannerKind
from tests.phase_server import PhaseServer, listed
from tests.virtual_time import run_virtual

PATIENCE = Patience(quiet=2.0, quiet_max=20.0, unseen=30.0, stall=150.0, budget=3600.0, cap=28800.0)
CANCELLED_AT = 10.0


class Server(PhaseServer):
    """A server that scans until some time after it was told to stop, and whose end nobody notices by itself."""

    def __init__(self, *, stops_after: float, away: bool = False) -> None:
        self.scanning = False
        self.called_off: list[float] = []
        self._stops_after = stops_after
        self._away = away

    async def ask(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.scanning = True

    async def call_off(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.called_off.append(anyio.current_time())
        if self._away:
            raise ServerAway("connection refused")

    async def look(self) -> tuple[Evidence, ...]:
        await anyio.lowlevel.checkpoint()
        if self.called_off and anyio.current_time() >= self.called_off[0] + self._stops_after:
            self.scanning = False
        return (listed(refreshing=self.scanning),)


def ended_after(server: Server) -> float:
    """Return how long after its cancellation a scan on *server* has ended."""

    async def play() -> float:
        with anyio.CancelScope(deadline=CANCELLED_AT):
            await carry_out(server.request(Phase.SCAN, PATIENCE), Bus())
        return anyio.current_time() - CANCELLED_AT

    return run_virtual(play)


@pytest.mark.lesson("L25", "L29", "L38")
@pytest.mark.parametrize(("stops_after", "at_most"), [(0.0, 0.0), (0.5, 0.7), (60.0, 2.0)])
def test_a_cancelled_phase_ends_as_soon_as_plex_has_stopped_and_after_two_seconds_at_most(
    stops_after, at_most
):
    server = Server(stops_after=stops_after)
    seconds = ended_after(server)
    assert server.called_off == [CANCELLED_AT]
    assert min(stops_after, 2.0) <= seconds <= at_most + 1e-6


def test_a_server_that_is_gone_needs_no_goodbye():
    assert ended_after(Server(stops_after=60.0, away=True)) == 0.0


class Analyser(PhaseServer):
    """A server with everything analysed, whose scanner process is there for the looks at these times, and whose end nobody tells."""

    def __init__(self, *seen_in_look: int, away_in_look: int = -1) -> None:
        self.looks = 0
        self._seen_in_look = seen_in_look
        self._away_in_look = away_in_look

    async def look(self) -> tuple[Evidence, ...]:
        await anyio.lowlevel.checkpoint()
        self.looks += 1
        if self.looks == self._away_in_look:
            raise ServerAway("connection refused")
        scanner = (Scanner(pid=7, kind=ScannerKind.ANALYZE, section=None),)
        running = scanner if self.looks in self._seen_in_look else ()
        counts = e.LibraryCounted(section=1, items=9, trashed=0, media=9, analyzed=9, tracks=0, sonic=0)
        return (e.ScannersChanged(running=running), counts)


def analysed(server: PhaseServer) -> tuple[PhaseReport, float]:
    """Return the report of an analysis by *server*, and when it was there."""

    async def play() -> tuple[PhaseReport, float]:
        return await carry_out(server.request(Phase.ANALYZE, PATIENCE), Bus()), anyio.current_time()

    return run_virtual(play)


@pytest.mark.parametrize(
    ("seen_in_look", "looks", "over_at"),
    [
        pytest.param((), 2, 2.0, id="never"),
        pytest.param((1,), 3, 3.0, id="in the first look"),
        pytest.param((2,), 4, 5.0, id="in the look that should confirm the end"),
        pytest.param((1, 2, 3, 4), 6, 17.0, id="in one look after the other, less and less often"),
    ],
)
def test_a_scanner_process_that_only_a_direct_look_saw_does_not_stay_open_for_ever(
    seen_in_look, looks, over_at
):
    server = Analyser(*seen_in_look)
    report, at = analysed(server)
    assert report.outcome is Outcome.DONE
    assert server.looks == looks
    assert at == pytest.approx(over_at)


def test_a_server_that_is_away_is_not_looked_at_without_a_pause():
    server = Analyser(1, away_in_look=2)
    report, at = analysed(server)
    assert report.outcome is Outcome.DONE
    assert server.looks == 4
    assert at == pytest.approx(4.0)


class Unnoticed(PhaseServer):
    """A server whose analysis no monitor notices: only a direct look shows that its count has moved."""

    def __init__(self, *, works: bool) -> None:
        self.asked = False
        self._works = works

    async def ask(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.asked = True

    async def look(self) -> tuple[Evidence, ...]:
        await anyio.lowlevel.checkpoint()
        analyzed = 7 if self.asked and self._works else 3
        return (
            e.LibraryCounted(section=1, items=9, trashed=0, media=9, analyzed=analyzed, tracks=0, sonic=0),
        )


@pytest.mark.parametrize(
    ("works", "outcome", "over_at"), [(True, Outcome.DONE, 32.0), (False, Outcome.SKIPPED, 30.0)]
)
def test_a_phase_is_told_as_never_seen_only_when_a_direct_look_shows_nothing_of_it_either(
    works, outcome, over_at
):
    report, at = analysed(Unnoticed(works=works))
    assert report.outcome is outcome
    assert at == pytest.approx(over_at)
