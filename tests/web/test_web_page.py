"""Proves the server of the page over real HTTP: what it gives, to whom, and that no reader can slow the run."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import anyio
import pytest
from pydantic import SecretStr

from plexsuper.errors import SettingsError
from plexsuper.examples import RUN, envelopes
from plexsuper.faces.web import readers as module
from plexsuper.faces.web.page import ASSETS, page_beside, serve_page
from tests.web.shown import applied, shown, until

STORY = list(envelopes(RUN))
ID = f"{STORY[0].run}@2026-11-22T18:06:01.123+00:00"
TOKEN = "a-long-word-that-nobody-guesses"


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that keeps cookies of bare addresses too."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(20), **options) as session:
        yield session


async def raw(url: str, request: str) -> str:
    """Send *request* as it stands and return the whole answer."""
    port = int(url.rsplit(":", 1)[1].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace("\n", "\r\n").encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def frames(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Yield the kind, the id and the data of every message of a stream of server-sent events."""
    text = ""
    async for piece in answer.content.iter_any():
        text += piece.decode()
        while "\n\n" in text:
            frame, text = text.split("\n\n", 1)
            lines = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
            if lines:
                yield lines["event"], lines.get("id", ""), json.loads(lines["data"])


# --- what it gives -----------------------------------------------------------------------------------


async def test_the_page_is_small_and_asks_for_nothing_from_elsewhere():
    async with shown(STORY) as run, client() as session:
        sizes = []
        for name, (body, type_) in ASSETS.items():
            async with session.get(run.url + ("" if name == "index.html" else name)) as answer:
                assert answer.status == 200
                assert answer.headers["Content-Type"] == type_
                assert await answer.read() == body
            sizes.append(len(body))
            text = body.decode().replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:|url\((?!#|`#)|@import|//[a-z]+\.", text), name
        assert sum(sizes) < 150_000
    page = ASSETS["index.html"][0].decode()
    named = set(re.findall(r'(?:src|href)="([\w.]+)"', page))
    assert named == {"page.css", "page.js", "icon.svg"}
    assert "<style" not in page
    assert not re.search(r"<script(?! type=\"module\" src=)| style=| on\w+=", page)


@pytest.mark.parametrize("path", ["", "page.js", "events", "picture.json", "metrics", "nix", "?token=x"])
async def test_every_answer_has_the_strict_headers(path):
    async with shown(STORY) as run, client() as session:
        run.end()
        async with session.get(run.url + path) as answer:
            assert answer.status == (404 if path == "nix" else 200)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Server"] == "plexsuper"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_can_be_done_but_reading(method):
    async with shown() as run, client() as session:
        for path in ("", "events", "picture.json", "metrics"):
            async with session.request(method, run.url + path) as answer:
                assert answer.status == 405
                assert answer.headers["Allow"] == "GET,HEAD"


async def test_who_asks_for_the_head_alone_gets_that_of_the_same_answer():
    async with shown(STORY) as run, client() as session:
        for path in ("", "page.js", "picture.json", "metrics", "nix", "events"):
            async with session.get(run.url + path) as got:
                told = got.status, got.headers["Content-Type"]
            async with session.head(run.url + path) as answer:
                assert (answer.status, answer.headers["Content-Type"]) == told
                assert answer.headers["Server"] == "plexsuper"
        await run.readers.gone(10)
        assert run.readers.count == 0  # nobody who asks for a head follows the story
        bare = await raw(run.url, "HEAD /events HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert bare.startswith("HTTP/1.1 200 ")
    assert bare.endswith("\r\n\r\n")


async def test_a_head_is_not_for_strangers_either():
    async with shown(STORY, token=TOKEN) as run, client() as session:
        async with session.head(run.url.partition("?")[0]) as answer:
            assert answer.status == 401
        async with session.head(run.url) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../page.py",
        "/..%2fpage.py",
        "/%2e%2e/page.py",
        "/static/page.js",
        "//etc/passwd",
        "/page.css/../../page.py",
        "/page.js%00.html",
        "/.",
        "/index.html/",
    ],
)
async def test_there_is_no_way_to_any_file(path):
    async with shown() as run:
        answer = await raw(run.url, f"GET {path} HTTP/1.1\nHost: localhost\nConnection: close\n\n")
        assert answer.startswith("HTTP/1.1 404 ") or path == "/."
        assert "import" not in answer


async def test_a_request_without_a_host_or_with_a_foreign_one_is_turned_away():
    async with shown(STORY) as run:
        none = await raw(run.url, "GET /picture.json HTTP/1.0\n\n")
        foreign = await raw(run.url, "GET /picture.json HTTP/1.1\nHost: evil.example\nConnection: close\n\n")
        ours = await raw(run.url, "GET /picture.json HTTP/1.1\nHost: localhost:1\nConnection: close\n\n")
    assert none.startswith("HTTP/1.0 403 ")
    assert foreign.startswith("HTTP/1.1 403 ")
    assert "only served under the names of this machine itself" in foreign
    assert "Movies" not in none + foreign
    assert ours.startswith("HTTP/1.1 200 ")


# --- to whom -----------------------------------------------------------------------------------------


async def test_the_token_in_the_address_is_changed_for_a_cookie():
    async with shown(STORY, token=TOKEN) as run, client() as session:
        bare = run.url.partition("?")[0]
        assert run.url == f"{bare}?token={TOKEN}"
        async with session.get(f"{bare}picture.json") as answer:
            assert answer.status == 401
            assert "the whole address that plexsuper printed" in await answer.text()
        async with session.get(run.url) as answer:
            assert answer.status == 200
            cookie = answer.headers["Set-Cookie"]
            assert TOKEN not in cookie + await answer.text()
        assert re.fullmatch(r"plexsuper-\d+=[0-9a-f]{64}; HttpOnly; Path=/; SameSite=Strict", cookie)
        async with session.get(f"{bare}picture.json") as answer:
            assert (await answer.json())["id"] == ID


async def test_a_program_may_give_the_token_as_a_bearer_token():
    async with (
        shown(STORY, token=TOKEN) as run,
        client(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        session.get(run.url.partition("?")[0] + "picture.json") as answer,
    ):
        assert answer.status == 200


async def test_an_address_that_others_reach_has_a_token_in_it():
    async with shown(STORY, host="0.0.0.0") as run, client() as session:
        port, token = re.fullmatch(r"http://[^/]+:(\d+)/\?token=([\w-]{32})", run.url).groups()  # type: ignore[union-attr]  # else the test fails
        for path, status in (("/", 401), ("/events", 401), ("/metrics", 401), (f"/?token={token}", 200)):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == status


# --- the story ---------------------------------------------------------------------------------------


async def test_a_reader_gets_the_whole_story_and_then_what_changes():
    picture: dict[str, Any] = {}
    async with shown(STORY[:40]) as run, client() as session, session.get(f"{run.url}events") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        kinds = []
        async for kind, id_, data in frames(answer):
            kinds.append(kind)
            if kind == "end":
                break
            picture = applied(picture, data)
            if data["whole"]:
                assert (id_, data["seq"]) == (f"{ID}/40", 40)
                run.tell(STORY[40:])
                run.end()
            else:
                assert "versions" not in data
                assert min(event["seq"] for event in data["events"]) == 41
        assert kinds == ["story", "story", "end"]
        assert picture["seq"] == len(STORY)
        assert picture["run"]["verdict"] == "set_aside"
        assert len(picture["events"]) == len(STORY)


@pytest.mark.parametrize(
    ("last", "first"),
    [
        pytest.param(f"{ID}/{len(STORY) - 2}", len(STORY) - 1, id="two events later"),
        pytest.param(f"{ID}/{len(STORY)}", None, id="nothing missed"),
        pytest.param("another-run/7", 1, id="of another run"),
        pytest.param(
            f"{STORY[0].run}@2026-11-22T17:00:00.000+00:00/7", 1, id="of this run before it was resumed"
        ),
        pytest.param(f"{ID}/99999", 1, id="from the future"),
        pytest.param("nonsense", 1, id="nonsense"),
        pytest.param(f"{ID}/-3", 1, id="negative"),
    ],
)
@pytest.mark.parametrize("how", ["header", "address"])
async def test_who_comes_back_gets_what_was_missed(last, first, how):
    headers = {"Last-Event-ID": last} if how == "header" else {}
    parameters = {"after": last} if how == "address" else {}
    async with (
        shown(STORY) as run,
        client() as session,
        session.get(f"{run.url}events", headers=headers, params=parameters) as answer,
    ):
        kind, id_, data = await anext(frames(answer))
    assert (kind, id_) == ("story", f"{ID}/{len(STORY)}")
    assert data["whole"] is (first == 1)
    assert [event["seq"] for event in data["events"][:1]] == ([] if first is None else [first])


async def test_a_reader_is_told_that_the_run_is_there_when_nothing_happens(monkeypatch):
    monkeypatch.setattr(module, "ALIVE_EVERY", 0.01)
    async with shown(STORY) as run, client() as session, session.get(f"{run.url}events") as answer:
        await answer.content.readuntil(b": alive\n\n")


async def test_the_picture_in_one_piece_is_what_a_new_reader_gets():
    async with shown(STORY) as run, client() as session:
        async with session.get(f"{run.url}picture.json") as answer:
            one = await answer.json()
        async with session.get(f"{run.url}events") as answer:
            _, _, other = await anext(frames(answer))
    assert {**one, "sent": 0} == {**other, "sent": 0}


async def test_an_event_that_cannot_be_told_leaves_a_hole_and_not_a_dead_run():
    broken = replace(STORY[3], event=object())  # type: ignore[arg-type]  # that is the point
    async with (
        shown([*STORY[:3], broken, *STORY[4:]]) as run,
        client() as session,
        session.get(f"{run.url}picture.json") as answer,
    ):
        picture = await answer.json()
    assert picture["holes"] == 1
    assert picture["run"]["verdict"] == "set_aside"


# --- many readers, and slow ones ---------------------------------------------------------------------


async def test_readers_that_take_nothing_neither_slow_the_run_nor_stay(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.001)
    async with shown(STORY, patience=0.3) as run, client() as session, anyio.create_task_group() as tasks:
        port = int(run.url.rsplit(":", 1)[1].strip("/"))
        lazy = [_never_reads(port) for _ in range(6)]
        ended: list[int] = []
        for _ in range(14):
            tasks.start_soon(_read_to_the_end, session, run.url, ended)
        with anyio.fail_after(20):
            await until(lambda: run.readers.count == 20)
            seq = len(STORY)
            while run.readers.count > 14:  # the others are dropped when their buffers are full
                seq += 1
                run.tell([replace(STORY[-2], seq=seq, run=STORY[0].run)])
                await anyio.sleep(0.001)
        run.end()
        tasks.cancel_scope.deadline = anyio.current_time() + 15
    assert ended == [seq] * 14
    for one in lazy:
        one.close()


async def _read_to_the_end(session: aiohttp.ClientSession, url: str, ended: list[int]) -> None:
    known = 0
    async with session.get(f"{url}events") as answer:
        async for kind, _, data in frames(answer):
            if kind == "end":
                ended.append(known)
                return
            known = data["seq"]


def _never_reads(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection


async def test_there_is_an_end_to_the_number_of_readers(monkeypatch):
    monkeypatch.setattr(module, "READERS", 2)
    async with shown(STORY) as run, client() as session:
        events = f"{run.url}events"
        async with session.get(events), session.get(events), session.get(events) as third:
            assert third.status == 503
            assert third.headers["Retry-After"] == "30"
        with anyio.fail_after(10):  # who has left makes room at once, though nothing was sent
            await until(lambda: run.readers.count == 0)
        async with session.get(f"{run.url}events") as third:
            assert third.status == 200


# --- where it is served ------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_told_with_the_setting():
    async with shown() as run:
        port = int(run.url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(SettingsError) as refused:
            async with serve_page(host="127.0.0.1", port=port):
                pass
    assert str(refused.value) == (
        f"The page of the run cannot be served at 127.0.0.1, port {port}: another program uses that port. "
        "Set web.port to a free one, or to 0 for any."
    )


async def test_an_address_of_another_machine_is_told_with_the_setting():
    with pytest.raises(
        SettingsError, match=r"this machine has no such address\. Set web\.host to one of its own"
    ):
        async with serve_page(host="192.0.2.1", port=0, token=SecretStr(TOKEN)):
            pass


async def test_beside_a_run_the_address_is_told_once_and_the_end_reaches_the_readers():
    told: list[str] = []
    async with shown() as run, client() as session:
        async with page_beside(run.bus, host="127.0.0.1", port=0, token=SecretStr(TOKEN), tell=told.append):
            [line] = told
            url = line.removeprefix("The page of this run: ")
            assert url.endswith(f"/?token={TOKEN}")
            run.tell(STORY)
            headers = {"Authorization": f"Bearer {TOKEN}"}
            answer = await session.get(f"{url.partition('?')[0]}events", headers=headers)
        kinds = [kind async for kind, _, _ in frames(answer)]
        assert kinds[0] == "story"
        assert kinds[-1] == "end"
    assert TOKEN not in json.dumps([str(envelope) for envelope in STORY])
