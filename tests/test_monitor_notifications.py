"""What Plex does is told from its socket at once and repaired by polls; what ran is never lost."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerRefused
from plexsuper.events import (
    ActivitiesChanged,
    Event,
    ItemsChanged,
    NotificationsConnected,
    NotificationsLost,
    PrefsChanged,
    SectionsChanged,
)
from plexsuper.monitors.notifications import watch_notifications
from tests.scripted import HTML, Scripted, Socket, answer
from tests.virtual_time import run_virtual

PATH = "/:/websockets/notifications"
SCAN = "library.update.section"
META = "library.update.item.metadata"


@dataclass
class Server:
    """A server whose lists a story sets by hand, so that they can contradict its notifications."""

    script: Scripted = field(default_factory=Scripted)
    activities: dict[str, tuple[str, int]] = field(default_factory=dict)
    refreshing: bool = False
    scanned_at: int = 1
    facts: list[tuple[float, Event]] = field(default_factory=list)

    @property
    def socket(self) -> Socket:
        """Its notification socket."""
        return self.script.sockets[PATH]

    def list_activities(self) -> Any:
        rows = [
            {"uuid": uuid, "type": kind, "progress": progress, "title": f"Doing {uuid}"}
            for uuid, (kind, progress) in self.activities.items()
        ]
        return answer({"MediaContainer": {"size": len(rows), "Activity": rows} if rows else {"size": 0}})

    def list_sections(self) -> Any:
        row = {
            "key": "1", "type": "movie", "title": "Movies", "refreshing": self.refreshing,
            "scannedAt": self.scanned_at,
        }  # fmt: skip
        return answer({"MediaContainer": {"size": 1, "Directory": [row]}})

    def running(self, *kinds: type[Event]) -> list[tuple[float, Any]]:
        """What was told of activities as (time, uuids), of sections as (time, refreshing, scanned_at)."""
        found: list[tuple[float, Any]] = []
        for at, fact in self.facts:
            match fact:
                case ActivitiesChanged() if ActivitiesChanged in kinds:
                    found.append((round(at, 2), [activity.uuid for activity in fact.running]))
                case SectionsChanged() if SectionsChanged in kinds:
                    (section,) = fact.sections
                    found.append((round(at, 2), (section.refreshing, section.scanned_at)))
                case ItemsChanged() if ItemsChanged in kinds:
                    found.append((round(at, 2), (fact.section, fact.pending, fact.finished, fact.deleted)))
        return found


def played(
    story: Callable[[Server], Coroutine[Any, Any, None]],
    *,
    until: float,
    every: float = 10.0,
    socket: bool = True,
) -> Server:
    """Let *story* happen on a server that is watched until *until*."""
    server = Server()

    async def whole() -> None:
        if socket:
            server.script.sockets[PATH] = Socket()
        server.script.answers = {
            "GET /activities": server.list_activities,
            "GET /library/sections": server.list_sections,
        }
        with anyio.move_on_after(until):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(story, server)
                await watch_notifications(
                    lambda fact: server.facts.append((anyio.current_time(), fact)),
                    plex=Plex(server.script),
                    every=every,
                )

    run_virtual(whole)
    return server


def test_the_first_picture_is_told_and_an_idle_server_is_no_news() -> None:
    async def idle(server: Server) -> None:
        server.activities["b"] = ("butler", 100)

    server = played(idle, until=100.0)
    assert [type(fact) for _, fact in server.facts] == [
        ActivitiesChanged,
        SectionsChanged,
        NotificationsConnected,
    ]
    assert server.running(ActivitiesChanged, SectionsChanged) == [(0.0, ["b"]), (0.0, (False, 1))]


def test_a_start_and_an_end_are_told_at_once() -> None:
    async def scan(server: Server) -> None:
        await anyio.sleep(3.0)
        server.activities["s"] = (SCAN, -1)
        server.socket.activity("started", "s", SCAN, section=1)
        await anyio.sleep(4.0)
        del server.activities["s"]
        server.socket.activity("ended", "s", SCAN)

    server = played(scan, until=9.0)
    assert server.running(ActivitiesChanged) == [(0.0, []), (3.0, ["s"]), (7.0, [])]
    shown = [fact for _, fact in server.facts if isinstance(fact, ActivitiesChanged)]
    assert shown[1].running[0].section == 1


def test_an_activity_that_begins_and_ends_between_two_looks_is_told_with_and_without_it() -> None:
    async def flash(server: Server) -> None:
        await anyio.sleep(3.0)
        for uuid in ("s1", "s2", "s3"):
            server.socket.activity("started", uuid, SCAN, section=1)
            server.socket.activity("ended", uuid, SCAN, section=1)

    server = played(flash, until=9.0)
    assert server.running(ActivitiesChanged) == [(0.0, []), (3.0, ["s1"]), (3.25, ["s2", "s3"]), (3.25, [])]


def test_the_end_of_an_activity_whose_start_was_missed_proves_that_it_ran() -> None:
    async def end(server: Server) -> None:
        await anyio.sleep(3.0)
        server.socket.activity("ended", "x", META, section=1)

    server = played(end, until=9.0)
    assert server.running(ActivitiesChanged) == [(0.0, []), (3.0, ["x"]), (3.0, [])]


def test_a_burst_is_told_four_times_a_second_and_progress_once_a_second() -> None:
    async def burst(server: Server) -> None:
        await anyio.sleep(3.0)
        for number in range(100):
            server.socket.activity("started", f"m{number}", META)
            await anyio.sleep(0.01)
        await anyio.sleep(5.0)
        for number in range(100):
            server.socket.activity("updated", "m0", META, progress=number)
            await anyio.sleep(0.1)

    server = played(burst, until=20.0, every=1000.0)
    times = [at for at, _ in server.running(ActivitiesChanged)]
    starts = [at for at in times if 3.0 <= at <= 5.0]
    updates = [at for at in times if at > 8.0]
    assert starts == [3.0, 3.25, 3.5, 3.75, 4.0]
    assert updates == [9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0]


def test_a_poll_finds_what_the_socket_did_not_tell() -> None:
    async def silent(server: Server) -> None:
        await anyio.sleep(3.0)
        server.activities["a"] = (META, 5)
        await anyio.sleep(10.0)
        server.activities.clear()

    server = played(silent, until=35.0)
    assert server.running(ActivitiesChanged) == [(0.0, []), (5.0, ["a"]), (15.0, [])]


def test_a_poll_that_was_answered_before_the_end_does_not_bring_an_activity_back() -> None:
    async def race(server: Server) -> None:
        server.activities["a"] = (META, 5)
        await anyio.sleep(4.0)
        listed = server.list_activities()

        async def slow() -> Any:
            server.socket.activity("ended", "a", META)
            await anyio.sleep(0.1)
            return listed

        server.script.answers["GET /activities"] = slow

    server = played(race, until=12.0)
    assert server.running(ActivitiesChanged) == [(0.0, ["a"]), (5.0, [])]


def test_an_end_that_is_told_after_a_poll_has_seen_it_is_no_news() -> None:
    async def late(server: Server) -> None:
        server.activities["a"] = (META, 5)
        await anyio.sleep(4.0)
        server.activities.clear()
        await anyio.sleep(2.0)
        server.socket.activity("ended", "a", META)

    server = played(late, until=12.0)
    assert server.running(ActivitiesChanged) == [(0.0, ["a"]), (5.0, [])]


def test_sections_are_read_again_at_once_when_a_scan_starts_or_ends() -> None:
    async def scan(server: Server) -> None:
        await anyio.sleep(3.0)
        server.refreshing = True
        server.socket.activity("started", "s", SCAN, section=1)
        await anyio.sleep(3.0)
        server.socket.activity("ended", "s", SCAN, section=1)
        await anyio.sleep(0.5)
        server.refreshing, server.scanned_at = False, 2

    server = played(scan, until=20.0)
    assert server.running(SectionsChanged) == [(0.0, (False, 1)), (3.0, (True, 1)), (7.0, (False, 2))]


def test_items_are_counted_and_told_once_a_second() -> None:
    async def items(server: Server) -> None:
        await anyio.sleep(3.0)
        for number in range(10):
            server.socket.item(number, 0, metadataState="created", queueSize=10 - number)
        await anyio.sleep(0.5)
        for number in range(9):
            server.socket.item(number, 5)
        server.socket.item(77, 9, metadataState="deleted")
        server.socket.item(1, 5, section=2)

    server = played(items, until=9.0)
    assert server.running(ItemsChanged) == [
        (3.0, (1, 1, 0, 0)),
        (4.0, (1, 1, 9, 1)),
        (4.0, (2, 0, 1, 0)),
    ]


def test_settings_that_change_are_told_of_once_a_second() -> None:
    async def change(server: Server) -> None:
        await anyio.sleep(3.0)
        for name in ("autoEmptyTrash", "ScannerLowPriority"):
            server.socket.say("preference", "Setting", {"id": name, "type": "bool", "value": True})
        await anyio.sleep(20.0)
        server.socket.say("preference", "Setting", {"id": "autoEmptyTrash", "type": "bool", "value": True})

    server = played(change, until=30.0)
    told = [round(at, 2) for at, fact in server.facts if isinstance(fact, PrefsChanged)]
    assert told == [3.0, 4.0, 23.0]


def test_a_cut_socket_is_told_once_opened_again_and_the_picture_is_read_anew() -> None:
    async def cut(server: Server) -> None:
        await anyio.sleep(3.0)
        server.socket.item(5, 0, metadataState="created")
        server.socket.activity("started", "s", SCAN, section=1)
        await anyio.sleep(1.0)
        server.activities = {"t": (META, 1)}  # it missed the end of s and the start of t
        server.socket.cut()

    server = played(cut, until=9.0, every=60.0)
    kinds = [(round(at, 2), type(fact).__name__) for at, fact in server.facts if at >= 4.0]
    assert kinds == [
        (4.0, "NotificationsLost"),
        (4.0, "ItemsChanged"),
        (4.0, "ActivitiesChanged"),
        (5.0, "NotificationsConnected"),
    ]
    assert server.running(ActivitiesChanged)[-1] == (4.0, ["t"])
    assert server.running(ItemsChanged) == [(3.0, (1, 1, 0, 0)), (4.0, (1, 0, 0, 0))]


def test_without_a_socket_polls_come_twice_as_often_and_the_socket_is_tried_less_and_less() -> None:
    async def nothing(_: Server) -> None:
        return

    server = played(nothing, until=100.0, every=10.0, socket=False)
    lost = [fact for _, fact in server.facts if isinstance(fact, NotificationsLost)]
    assert [fact.detail for fact in lost] == ["WebSocket /:/websocket/notifications: 404"]
    assert len(server.script.said("GET /activities")) >= 20
    assert len(server.script.said("WS /:/websockets")) == 8  # after 0, 1, 3, 7, 15, 31, 61 and 91 s


def test_a_server_that_goes_away_and_comes_back_is_no_crash() -> None:
    async def restart(server: Server) -> None:
        await anyio.sleep(3.0)
        server.script.up = False
        server.socket.cut()
        await anyio.sleep(10.0)
        server.scanned_at = 9
        server.script.up = True

    server = played(restart, until=40.0)
    names = [type(fact).__name__ for _, fact in server.facts]
    assert names.count("NotificationsLost") == 1
    assert names.count("NotificationsConnected") == 2
    assert server.running(SectionsChanged)[-1][1] == (False, 9)


def test_a_server_that_says_no_crashes_the_monitor_with_its_own_words() -> None:
    async def revoke(server: Server) -> None:
        await anyio.sleep(3.0)
        server.script.answers["GET /activities"] = answer("<h1>403 Forbidden</h1>", 403, HTML)

    with pytest.raises(ExceptionGroup) as caught:
        played(revoke, until=40.0)
    (error,) = caught.value.exceptions
    assert isinstance(error, ServerRefused)
    assert str(error).startswith("GET /activities: Plex answered 403: 403 Forbidden")


def test_a_token_that_is_known_no_more_is_no_crash_and_the_picture_is_read_on_when_it_is() -> None:
    """Whoever watches the server asks the same with the same token, and tells of it."""

    async def forget(server: Server) -> None:
        await anyio.sleep(3.0)
        server.script.answers["GET /activities"] = answer("<h1>401 Unauthorized</h1>", 401, HTML)
        await anyio.sleep(30.0)
        server.activities["s"] = (SCAN, -1)
        server.script.answers["GET /activities"] = server.list_activities

    server = played(forget, until=60.0)
    assert server.running(ActivitiesChanged)[-1][1] == ["s"]
