"""The frame of a phase: when a cancelled one lets go of Plex. (When one is done is proved with `settle`.)"""

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.phase import Request, carry_out
from plexsuper.bus import Bus
from plexsuper.decisions.evidence import Evidence
from plexsuper.decisions.settle import Patience
from plexsuper.errors import ServerAway
from plexsuper.kinds import SectionType
from plexsuper.terms import Phase, Section, SectionRef
from tests.virtual_time import run_virtual

FILMS = SectionRef(id=1, title="Films")
PATIENCE = Patience(quiet=2.0, quiet_max=20.0, unseen=30.0, stall=150.0, budget=3600.0, cap=28800.0)
CANCELLED_AT = 10.0


class Server:
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
        films = Section(id=1, title="Films", type=SectionType.MOVIE, refreshing=self.scanning, scanned_at=1)
        return (e.SectionsChanged(sections=(films,)),)


def ended_after(server: Server) -> float:
    """Return how long after its cancellation a scan on *server* has ended."""

    async def play() -> float:
        bus: Bus[e.Event] = Bus()
        request = Request(
            section=FILMS,
            phase=Phase.SCAN,
            attempt=1,
            patience=PATIENCE,
            ask=server.ask,
            call_off=server.call_off,
            look=server.look,
        )
        with anyio.CancelScope(deadline=CANCELLED_AT):
            await carry_out(request, bus)
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
