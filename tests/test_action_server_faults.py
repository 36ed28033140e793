"""Proves that a fault which no waiting will mend ends the wait for the server at once, with its own exit code."""

import anyio
import pytest

from plexsuper.actions.server import bring_up
from plexsuper.bus import Bus
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
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


class Ends(Place):
    """A server that ends by itself a moment after its start, with *words* in its log."""

    def __init__(self, world, *, words: tuple[str, ...], code: int) -> None:
        super().__init__(world, running=False)
        self._words = words
        self._code = code

    @property
    def pid(self) -> int | None:
        return None

    async def exited(self, pid: int) -> None:
        raise AssertionError("nothing runs")

    async def stop(self, patience: float) -> int | None:
        return self._code

    def log_tail(self, lines: int) -> tuple[str, ...]:
        return self._words[-lines:]


DAMAGED = (
    "Error: Unable to set up server: sqlite3_statement_backend::loadOne: database disk image is malformed"
)


@pytest.mark.lesson("L30")
@pytest.mark.parametrize(
    ("words", "error", "code", "told"),
    [
        (
            ("Starting Plex Media Server.", DAMAGED), DatabaseError, ExitCode.DATABASE,
            f"Plex ended with exit code 3 before it was ready: the library database is damaged, .*{DAMAGED}.*plexsuper db repair",
        ),
        (
            ("Starting Plex Media Server.", "Error: no space"), ServerError, ExitCode.SERVER,
            "Plex ended with exit code 3 before it was ready. The end of its log:\n.*\n  Error: no space",
        ),
    ],
)  # fmt: skip
def test_a_server_that_ends_at_once_is_judged_by_its_last_words(
    words: tuple[str, ...], error: type[PlexsuperError], code: ExitCode, told: str
) -> None:
    async def story(world):
        with pytest.raises(error, match=told) as raised:
            await bring_up(
                Bus[Event](),
                plex=Plex(world.transport(http)),
                runtime=Ends(world, words=words, code=3),
                url="http://plex",
                now=Now,
                patience=600.0,
                attached=False,
            )
        assert raised.value.exit_code == code

    in_world(story, FILMS, knobs=QUIET.but(refused_seconds=100.0), ready=False)
