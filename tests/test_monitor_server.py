"""The server monitor climbs the start-up ladder, says why it waits, and notices when the server is lost."""

from contextlib import suppress

import anyio
import pytest

from plexsuper.clients.plex.http import Answer, NoAnswer
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerRefused
from plexsuper.events import Event, PlexLost, PlexReady, PlexWaiting
from plexsuper.monitors.server import watch_server
from plexsuper.terms import Scanner
from tests.scripted import XML, Scripted, answer
from tests.virtual_time import run_virtual

IDENTITY = answer(
    {"MediaContainer": {"size": 0, "claimed": True, "machineIdentifier": "m", "version": "1.43.4"}}
)
READY = PlexReady(version="1.43.4", machine="m", claimed=True, after=0.0)


def maintenance(what: str) -> Answer:
    return answer(f'<Response code="503" title="Maintenance" status="Running {what}." />', 503, XML)


MIGRATING = maintenance("database migrations")
LATE = answer("late")


class Host:
    """A host on which the server's process ends at a given time; nothing of it is real but its end."""

    owned = True

    def __init__(self, pid: int | None, ends: float) -> None:
        self.pid = pid
        self._ends = ends

    async def start(self) -> int:
        raise NotImplementedError

    async def stop(self, patience: float) -> int | None:
        raise NotImplementedError

    def scanners(self) -> tuple[Scanner, ...]:
        return ()

    async def exited(self, pid: int) -> None:
        await anyio.sleep_until(self._ends)

    def cpu_time(self, pid: int) -> float | None:
        return None

    def bytes_read(self, pid: int) -> int | None:
        return None

    def inside(self, path: str) -> str:
        return path

    def freeze(self) -> tuple[int, ...]:
        return ()

    def take_over(self) -> tuple[tuple[int, ...], float]:
        return (), 0.0

    def thaw(self, pids: object) -> None:
        """Nothing is frozen."""

    def end_scanners(self) -> int:
        return 0

    def log_tail(self, lines: int) -> tuple[str, ...]:
        return tuple(f"line {number}" for number in range(lines))[-2:]

    async def preferences_xml(self) -> dict[str, str]:
        return {}


def watched(
    plan: dict[float, Answer | None], until: float, *, pid: int | None = None, ends: float = 1e9
) -> list[tuple[float, Event]]:
    """What is published until *until*; *plan* is what `/identity` answers from when on, None: nobody listens."""
    facts: list[tuple[float, Event]] = []

    class Server(Scripted):
        async def request(self, method: str, path: str, **options: object) -> Answer:
            now = anyio.current_time()
            found = next(found for begin, found in reversed(plan.items()) if now >= begin)
            if found is LATE:
                raise NoAnswer("GET /identity: no answer within 10 s")
            self.up = found is not None
            if found is not None:
                self.answers["GET /identity"] = found
            return await super().request(method, path)

    async def story() -> None:
        with anyio.move_on_after(until):
            await watch_server(
                lambda fact: facts.append((anyio.current_time(), fact)),
                plex=Plex(Server()),
                runtime=Host(pid, ends),
                every=5.0,
                patience=30.0,
            )

    run_virtual(story)
    return facts


def waiting(
    attempt: int, state: str, status: int | None, excerpt: str, log: tuple[str, ...] = ()
) -> PlexWaiting:
    return PlexWaiting(attempt=attempt, state=state, status=status, excerpt=excerpt, log=log)  # type: ignore[arg-type]  # a table of words


@pytest.mark.lesson("L17")
def test_the_ladder_is_told_with_attempt_status_and_excerpt_and_then_ready() -> None:
    facts = watched(
        {0.0: None, 2.0: maintenance("startup maintenance tasks"), 3.0: MIGRATING, 5.2: IDENTITY}, 6.0
    )
    text = '<Response code="503" title="Maintenance" status="Running {}." />'
    assert facts == [
        (0.0, waiting(1, "refused", None, "GET /identity: nobody listens")),
        (2.0, waiting(5, "maintenance", 503, text.format("startup maintenance tasks"))),
        (3.0, waiting(7, "migration", 503, text.format("database migrations"))),
        (5.5, PlexReady(version="1.43.4", machine="m", claimed=True, after=5.5)),
    ]


@pytest.mark.lesson("L17")
def test_a_picture_that_stays_is_told_again_every_ten_seconds_and_with_the_log_after_the_patience() -> None:
    facts = watched({0.0: MIGRATING}, 45.0)
    assert [(at, fact.attempt, fact.log) for at, fact in facts if isinstance(fact, PlexWaiting)] == [
        (0.0, 1, ()),
        (10.0, 21, ()),
        (20.0, 41, ()),
        (30.0, 61, ()),
        (40.0, 81, ("line 18", "line 19")),
    ]


def test_a_ready_server_is_no_news_until_it_misses_two_looks_and_then_the_ladder_begins_again() -> None:
    facts = watched({0.0: IDENTITY, 12.0: None, 23.0: IDENTITY}, 40.0)
    assert [(at, type(fact)) for at, fact in facts] == [
        (0.0, PlexReady),
        (20.0, PlexLost),
        (20.0, PlexWaiting),
        (23.0, PlexReady),
    ]
    assert facts[3][1] == PlexReady(version="1.43.4", machine="m", claimed=True, after=3.0)


def test_one_missed_look_is_nothing() -> None:
    assert watched({0.0: IDENTITY, 9.0: MIGRATING, 11.0: IDENTITY}, 60.0) == [(0.0, READY)]


@pytest.mark.parametrize("pid", [None, 42])
@pytest.mark.parametrize("slow_from", [0.0, 12.0])
def test_a_server_that_takes_twenty_seconds_for_an_answer_is_slow_and_not_lost(
    pid: int | None, slow_from: float
) -> None:
    facts: list[Event] = []

    class Slow(Scripted):
        async def request(self, method: str, path: str, *, deadline: float = 10.0, **_: object) -> Answer:
            if anyio.current_time() >= slow_from:
                await anyio.sleep(min(deadline, 20.0))
                if deadline < 20.0:
                    raise NoAnswer(f"GET /identity: no answer within {deadline:g} s")
            return IDENTITY

    async def story() -> None:
        with anyio.move_on_after(600.0):
            await watch_server(
                facts.append, plex=Plex(Slow()), runtime=Host(pid, 1e9), every=5.0, patience=30.0
            )

    run_virtual(story)
    assert len([fact for fact in facts if isinstance(fact, PlexReady)]) == 1
    assert [fact for fact in facts if isinstance(fact, PlexLost)] == []


def test_the_end_of_the_process_is_noticed_at_once() -> None:
    facts = watched({0.0: IDENTITY, 7.1: None}, 8.0, pid=42, ends=7.1)
    assert facts[:2] == [(0.0, READY), (7.1, PlexLost(detail="its process 42 ended"))]


def test_a_server_that_is_only_late_while_its_process_lives_is_busy_and_not_lost_so_soon() -> None:
    dead = watched({0.0: IDENTITY, 12.0: LATE}, 60.0)
    living = watched({0.0: IDENTITY, 12.0: LATE}, 60.0, pid=42)
    assert [at for at, fact in dead if isinstance(fact, PlexLost)] == [20.0]
    assert [at for at, fact in living if isinstance(fact, PlexLost)] == [30.0]


@pytest.mark.parametrize("status", [429, 500, 502, 504])
def test_a_server_that_answers_that_it_is_overloaded_is_busy_and_not_lost_so_soon(status: int) -> None:
    overloaded = answer("", status)
    assert watched({0.0: IDENTITY, 9.0: overloaded, 24.0: IDENTITY}, 60.0) == [(0.0, READY)]
    lost = watched({0.0: IDENTITY, 12.0: overloaded}, 60.0)
    assert [at for at, fact in lost if isinstance(fact, PlexLost)] == [30.0]


@pytest.mark.parametrize(
    ("welcome", "lost"), [(True, [20.0]), (False, [])], ids=["accepted before", "never accepted"]
)
def test_a_server_that_refuses_twice_what_it_allowed_before_is_lost(welcome: bool, lost: list[float]) -> None:
    facts: list[tuple[float, Event]] = []

    class Server(Scripted):
        async def request(self, method: str, path: str, **options: object) -> Answer:
            refuses = anyio.current_time() >= 12.0 or not welcome
            self.answers["GET /activities"] = answer("", 401) if refuses else answer({"MediaContainer": {}})
            return await super().request(method, path)

    async def story() -> None:
        plex = Plex(Server({"GET /identity": IDENTITY}))
        with suppress(ServerRefused):
            await plex.activities()
        with anyio.move_on_after(24.0):
            await watch_server(
                lambda fact: facts.append((anyio.current_time(), fact)),
                plex=plex,
                runtime=Host(None, 1e9),
                every=5.0,
                patience=30.0,
            )

    run_virtual(story)
    assert [at for at, fact in facts if isinstance(fact, PlexLost)] == lost
    assert all(
        "does not accept us any more: GET /activities" in fact.detail
        for _, fact in facts
        if isinstance(fact, PlexLost)
    )
