"""A scan of a small section begins and ends between two polls, may move no `scannedAt`, and no socket may tell of it."""

import anyio
import anyio.lowlevel
import pytest

from plexsuper import events as e
from plexsuper.actions.phase import carry_out
from plexsuper.bus import Bus
from plexsuper.decisions.evidence import Evidence
from plexsuper.decisions.settle import Patience
from plexsuper.terms import Outcome, Phase, PhaseReport
from tests.phase_server import PhaseServer, listed
from tests.virtual_time import run_virtual

PATIENCE = Patience(unseen=30.0)
NEVER = (100.0, 100.0)


class Server(PhaseServer):
    """A server that scans from one time to another after it was asked, which moves nothing but `refreshing`."""

    def __init__(self, bus: Bus[e.Event], *, begins: float, ends: float, tells: bool = False) -> None:
        self.looks: list[float] = []
        self._bus = bus
        self._begins, self._ends = begins, ends
        self._tells = tells

    async def ask(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self._tells:
            self._bus.publish(listed(refreshing=True))
            self._bus.publish(listed(refreshing=False))

    async def look(self) -> tuple[Evidence, ...]:
        await anyio.lowlevel.checkpoint()
        now = anyio.current_time()
        self.looks.append(now)
        return (listed(refreshing=self._begins <= now < self._ends),)


def scanned(times: tuple[float, float], *, tells: bool = False) -> tuple[PhaseReport, list[float]]:
    """Return the report of a scan at *times* after it was asked for, and when the server was looked at directly."""

    async def play() -> tuple[PhaseReport, list[float]]:
        bus: Bus[e.Event] = Bus()
        server = Server(bus, begins=times[0], ends=times[1], tells=tells)
        return await carry_out(server.request(Phase.SCAN, PATIENCE), bus), server.looks

    return run_virtual(play)


@pytest.mark.parametrize("times", [(0.1, 0.3), (0.3, 0.6), (0.3, 1.1), (0.6, 2.1)])
def test_a_scan_that_no_monitor_tells_of_is_seen_by_looks_soon_after_it_was_asked_for(
    times: tuple[float, float],
) -> None:
    report, _ = scanned(times)

    assert report.outcome is Outcome.DONE
    assert report.seconds < PATIENCE.unseen


def test_a_scan_of_which_nothing_is_seen_is_looked_at_ever_more_rarely() -> None:
    report, looks = scanned(NEVER)

    assert report.outcome is Outcome.UNSEEN
    assert [at for at in looks if at < PATIENCE.unseen] == pytest.approx([0.0, 0.2, 0.5, 1.0, 2.0])


def test_a_scan_that_is_told_of_is_not_looked_at_until_it_seems_to_be_over() -> None:
    report, looks = scanned(NEVER, tells=True)

    assert report.outcome is Outcome.DONE
    assert looks == pytest.approx([0.0, report.seconds])
