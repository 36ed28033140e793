"""The notification frames of a simulated server, and the ways in which they get lost."""

import json
from typing import Any

import anyio
import pytest

from plexsuper.clients.plex import http
from plexsuper.simulator.memory import World
from plexsuper.simulator.notifications import server_sent_event
from tests.simulated import FILMS, QUIET, TOKEN, ask, films, idle, in_world

Frame = dict[str, Any]
SOCKET = "/:/websockets/notifications"
HEADERS = {"X-Plex-Token": TOKEN}


async def listen(world: World, *, path: str = SOCKET, seconds: float = 30.0) -> list[Frame]:
    """Return the frames of the next seconds, without their container."""
    seen: list[Frame] = []
    with anyio.move_on_after(seconds):
        async with world.transport(http).frames(path, headers=HEADERS) as frames:
            async for text in frames:  # one by one, for the time to listen ends in between
                seen.append(json.loads(text)["NotificationContainer"])  # noqa: PERF401 - same
    return seen


async def listen_to(world: World, method: str, path: str, *query: tuple[str, str]) -> list[Frame]:
    """Return the frames that follow a request."""
    seen: list[Frame] = []
    async with anyio.create_task_group() as tasks:

        async def collect() -> None:
            seen.extend(await listen(world))

        tasks.start_soon(collect)
        await anyio.sleep(0.1)
        await ask(world, method, path, *query)
    return seen


@pytest.mark.parametrize("path", [SOCKET, "/:/websocket/notifications"])
def test_a_scan_tells_its_course(path: str) -> None:
    async def story(world: World) -> None:
        frames = await listen_to(world, "GET", "/library/sections/1/refresh")
        kinds = [frame["type"] for frame in frames]
        assert set(kinds) == {"activity", "timeline", "status", "backgroundProcessingQueue"}
        assert all(frame["size"] == 1 for frame in frames)
        scan = [
            frame["ActivityNotification"][0]
            for frame in frames
            if frame["type"] == "activity"
            and frame["ActivityNotification"][0]["Activity"]["type"] == "library.update.section"
        ]
        assert [scan[0]["event"], scan[-1]["event"]] == ["started", "ended"]
        assert {activity["Activity"]["Context"]["librarySectionID"] for activity in scan} == {"1"}
        assert {activity["uuid"] for activity in scan} == {scan[0]["Activity"]["uuid"]}
        entries = [frame["TimelineEntry"][0] for frame in frames if frame["type"] == "timeline"]
        assert (entries[0]["state"], entries[0]["metadataState"]) == (0, "created")
        finished = [entry for entry in entries if entry["state"] == 5]
        assert {entry["itemID"] for entry in finished} == {"1", "2", "3"}
        assert not any("queueSize" in entry or "metadataState" in entry for entry in finished)
        status = [frame["StatusNotification"][0] for frame in frames if frame["type"] == "status"]
        assert [note["title"] for note in status] == ["Library scan complete"]

    in_world(story, FILMS, knobs=QUIET.but(metadata_seconds=2))


def test_emptying_the_trash_tells_of_each_deleted_item() -> None:
    async def story(world: World) -> None:
        await ask(world, "PUT", "/:/prefs", ("autoEmptyTrash", "0"))
        world.tree.remove("/media/Movies/Film 0 (2001)/Film 0 (2001).mkv")
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        frames = await listen_to(world, "PUT", "/library/sections/1/emptyTrash")
        (entry,) = [frame["TimelineEntry"][0] for frame in frames if frame["type"] == "timeline"]
        assert (entry["itemID"], entry["state"], entry["metadataState"]) == ("1", 9, "deleted")

    in_world(story, *films(3))


def test_a_changed_setting_is_told() -> None:
    async def story(world: World) -> None:
        frames = await listen_to(world, "PUT", "/:/prefs", ("OnDeckWindow", "4"))
        (setting,) = [frame["Setting"][0] for frame in frames if frame["type"] == "preference"]
        assert (setting["id"], setting["value"]) == ("OnDeckWindow", 4)

    in_world(story)


def test_the_last_word_on_an_activity_may_lack_its_section() -> None:
    async def story(world: World) -> None:
        frames = await listen_to(world, "GET", "/library/sections/1/refresh")
        bodies = [frame["ActivityNotification"][0] for frame in frames if frame["type"] == "activity"]
        assert {("Context" in body["Activity"], body["event"]) for body in bodies} >= {
            (True, "started"),
            (False, "ended"),
        }
        assert not any("Context" in body["Activity"] for body in bodies if body["event"] == "ended")

    in_world(story, FILMS, knobs=QUIET.but(context_on_ended=False))


def test_frames_get_lost_at_the_given_rate() -> None:
    async def story(world: World) -> tuple[int, int]:
        frames = await listen_to(world, "GET", "/library/sections/1/refresh")
        assert world.server.life is not None
        return len(frames), world.server.life.core.notifications.lost

    all_of_them, lost_of_none = in_world(story, *films(100, known=0))
    assert lost_of_none == 0
    some, lost = in_world(story, *films(100, known=0), knobs=QUIET.but(frame_loss=0.5))
    assert abs(some - lost) < 0.2 * all_of_them
    assert some + lost == all_of_them


def test_a_socket_is_cut_after_its_life() -> None:
    async def story(world: World) -> None:
        before = world.clock.elapsed()
        await listen(world, seconds=100)
        assert world.clock.elapsed() - before == pytest.approx(20.0)

    in_world(story, knobs=QUIET.but(socket_life=20))


def test_a_socket_can_be_refused() -> None:
    async def story(world: World) -> None:
        with pytest.raises(http.NoAnswer, match="503"):
            await listen(world)

    in_world(story, knobs=QUIET.but(sockets_refused=True))


def test_a_socket_without_the_token_is_refused() -> None:
    async def story(world: World) -> None:
        with pytest.raises(http.SocketRefused) as refused:
            async with world.transport(http).frames(SOCKET):
                pass
        assert refused.value.status == 401

    in_world(story)


def test_filters_choose_and_exclude() -> None:
    async def story(world: World) -> None:
        with world.server.listen("preference") as only, world.server.listen("-preference") as never:
            assert (only.wants("preference"), only.wants("activity")) == (True, False)
            assert (never.wants("preference"), never.wants("activity")) == (False, True)
            assert not never.wants("log")

    in_world(story)


def test_event_source_has_neither_container_nor_list() -> None:
    assert server_sent_event("activity", {"event": "ended"}) == (
        'event: activity\ndata: {"ActivityNotification":{"event":"ended"}}\n\n'
    )
