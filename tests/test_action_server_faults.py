"""Proves that a fault which no waiting will mend ends the wait for the server at once, with its own exit code."""

import anyio
import pytest

from plexsuper.actions.server import bring_up
from plexsuper.bus import Bus
from plexsuper.clients import http
from plexsuper.clients.plex import Plex
from plexsuper.errors import DatabaseError, ExitCode, PlexsuperError, ServerError
from plexsuper.events import Event, PlexFaultSeen
from plexsuper.state import Now
from plexsuper.terms import PlexFault
from tests.simulated import FILMS, QUIET, in_world
from tests.test_action_server import Place


@pytest.mark.lesson("L30", "L16")
@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("database_damaged", DatabaseError, ExitCode.DATABASE),
        ("claim_failed", ServerError, ExitCode.SERVER),
        ("crash_loop", ServerError, ExitCode.SERVER),
        ("out_of_memory", ServerError, ExitCode.SERVER),
    ],
)
def test_a_fault_ends_the_wait_at_once(fault: PlexFault, error: type[PlexsuperError], code: ExitCode) -> None:
    async def story(world):
        bus: Bus[Event] = Bus()
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:

            async def fail() -> None:
                await anyio.sleep(3.0)
                bus.publish(PlexFaultSeen(fault=fault, detail="what it means"))

            tasks.start_soon(fail)
            with pytest.raises(error, match="what it means") as raised:
                await bring_up(
                    bus,
                    plex=Plex(world.transport(http)),
                    runtime=Place(world, running=False),
                    url="http://plex",
                    now=Now,
                    patience=600.0,
                    attached=False,
                )
        assert raised.value.exit_code == code
        assert anyio.current_time() - began == pytest.approx(3.0)

    in_world(story, FILMS, knobs=QUIET.but(refused_seconds=100.0), ready=False)
