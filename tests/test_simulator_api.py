"""The simulated server answers in the shapes recorded from real ones."""

import json

import pytest

from plexsuper.simulator.identity import Account
from plexsuper.simulator.memory import World
from tests.simulated import FILMS, QUIET, TOKEN, as_json, ask, in_world, xml


def test_the_start_goes_through_every_step_that_real_servers_go_through() -> None:
    async def story(world: World) -> None:
        assert not world.server.listening
        await world.server.until("maintenance")
        answer = await ask(world, "GET", "/identity", token=None)
        assert answer.status == 503
        assert (
            b'title="Maintenance" status="Plex Media Server is currently running startup maintenance'
            in answer.body
        )
        await world.server.until("starting")
        assert (await ask(world, "GET", "/library/sections")).status == 200
        refused = await ask(world, "POST", "/library/sections", ("name", "x"))
        assert refused.status == 400
        assert b"still starting up" in refused.body
        assert b"Please retry later" in refused.body
        await world.server.until("ready")
        assert world.clock.elapsed() == pytest.approx(2.3)

    in_world(story, ready=False)


def test_a_migration_says_so() -> None:
    async def story(world: World) -> None:
        await world.server.until("maintenance")
        answer = await ask(world, "GET", "/", token=None)
        assert b"running database migrations." in answer.body

    in_world(story, knobs=QUIET.but(maintenance_kind="migrations"), ready=False)


def test_xml_is_the_default_and_json_has_real_values() -> None:
    async def story(world: World) -> None:
        text = await ask(world, "GET", "/identity", token=None)
        assert text.headers["Content-Type"] == "text/xml;charset=utf-8"
        assert text.headers["X-Plex-Protocol"] == "1.0"
        assert b'<MediaContainer size="0" apiVersion="1.2.3" claimed="1" machineIdentifier="' in text.body
        found = await as_json(world, "/identity")
        assert found["claimed"] is True
        assert found["size"] == 0
        assert len(found["machineIdentifier"]) == 40
        sections = (await as_json(world, "/library/sections"))["Directory"]
        assert sections[0]["key"] == "1"
        assert sections[0]["refreshing"] is False
        assert sections[0]["Location"] == [{"id": 1, "path": "/media/Movies"}]

    in_world(story, FILMS)


def test_an_empty_list_leaves_its_key_out() -> None:
    async def story(world: World) -> None:
        assert await as_json(world, "/library/sections") == {
            "size": 0,
            "allowSync": False,
            "title1": "Plex Library",
        }

    in_world(story)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_right_token_the_answer_is_a_page_of_91_bytes(token: str | None) -> None:
    async def story(world: World) -> None:
        answer = await ask(world, "GET", "/", token=token, headers={"accept": "application/json"})
        assert answer.status == 401
        assert answer.headers["Content-Type"] == "text/html"
        assert len(answer.body) == 91
        assert b"<h1>401 Unauthorized</h1>" in answer.body

    in_world(story)


def test_the_token_may_be_a_query_argument() -> None:
    async def story(world: World) -> None:
        assert (await ask(world, "GET", "/", ("X-Plex-Token", TOKEN), token=None)).status == 200

    in_world(story)


@pytest.mark.parametrize(
    ("host", "local", "status"),
    [
        ("127.0.0.1:32400", True, 200),
        ("localhost", True, 200),
        ("[::1]:32400", True, 200),
        ("plex:32400", True, 401),
        ("127.0.0.1:32400", False, 401),
    ],
)
def test_an_unclaimed_server_answers_only_its_own_host_and_only_known_names(
    host: str, local: bool, status: int
) -> None:
    async def story(world: World) -> None:
        answer = await ask(world, "GET", "/", token=None, headers={"host": host}, local=local)
        assert answer.status == status

    in_world(story, account=Account(claimed=False))


def test_a_claimed_server_with_a_token_answers_by_any_name() -> None:
    async def story(world: World) -> None:
        assert (await ask(world, "GET", "/", headers={"host": "plex:32400"})).status == 200

    in_world(story)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/library/sections/1/refresh", 405),
        ("GET", "/library/sections/1/analyze", 405),
        ("POST", "/library/sections/1/refresh", 200),
        ("GET", "/library/sections/1/refresh", 200),
        ("DELETE", "/library/sections/1/refresh", 200),
        ("PUT", "/library/sections/1/analyze", 200),
        ("PUT", "/library/sections/1/emptyTrash", 200),
        ("GET", "/library/sections/9/refresh", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_an_action_takes_the_methods_that_real_servers_take(method: str, path: str, status: int) -> None:
    async def story(world: World) -> None:
        answer = await ask(world, method, path)
        assert answer.status == status
        if status == 200:
            assert answer.body == b""
            assert answer.headers["Content-Type"] == "text/html"

    in_world(story, FILMS, knobs=QUIET.but(wrong_method_status=405))


def test_get_refresh_can_go_away_in_favour_of_post() -> None:
    async def story(world: World) -> None:
        assert (await ask(world, "GET", "/library/sections/1/refresh")).status == 404
        assert (await ask(world, "POST", "/library/sections/1/refresh")).status == 200

    in_world(story, FILMS, knobs=QUIET.but(get_refresh=False))


def test_the_root_tells_of_plex_pass() -> None:
    async def root(world: World) -> str | None:
        return (await xml(world, "/")).get("myPlexSubscription")

    assert in_world(root) == "1"
    assert in_world(root, account=Account(plex_pass=False)) == "0"
    assert in_world(root, account=Account(claimed=False)) == "0"


def test_an_unclaimed_server_can_be_claimed() -> None:
    async def story(world: World) -> None:
        bad = await ask(world, "POST", "/myplex/claim", ("token", "nonsense"), token=None)
        assert bad.status == 401
        good = await ask(world, "POST", "/myplex/claim", ("token", "claim-abc"), token=None)
        assert good.status == 200
        assert (await xml(world, "/identity", token=None)).get("claimed") == "1"
        assert (await ask(world, "GET", "/", token=None)).status == 401
        account = await xml(world, "/myplex/account")
        assert account.get("subscriptionActive") == "1"

    in_world(story, account=Account(claimed=False))


def test_nobody_plays_anything() -> None:
    async def story(world: World) -> None:
        body = (await ask(world, "GET", "/status/sessions", headers={"accept": "application/json"})).body
        assert json.loads(body) == {"MediaContainer": {"size": 0}}

    in_world(story)


def test_a_slow_server_and_one_that_hangs() -> None:
    async def story(world: World) -> None:
        before = world.clock.elapsed()
        await ask(world, "GET", "/identity")
        assert world.clock.elapsed() - before == pytest.approx(2.0)
        await world.clock.sleep(10)
        before = world.clock.elapsed()
        await ask(world, "GET", "/identity")
        assert world.clock.elapsed() - before == pytest.approx(28.0, abs=3)

    in_world(story, knobs=QUIET.but(answer_delay=2, hang_after=10, hang_for=30))
