"""What listens where Docker should, and is no engine or gives no answer, is said in plain words and within a bounded time."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import pytest
from aiodocker import Docker
from anyio.abc import ByteStream

from plexsuper.clients.docker import engine
from plexsuper.clients.docker.engine import ask_engine, explained, open_engine
from plexsuper.errors import ServerAway, ServerRefused
from tests.other_user import someone_else

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"


@asynccontextmanager
async def listening(place: Path, kind: bytes, body: bytes | None) -> AsyncIterator[Docker]:
    """Give a client of something that answers every question with *body*, or, without one, none."""

    async def answer(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            if body is None:
                await anyio.sleep_forever()
            else:
                await stream.send(HEAD % (kind, len(body), body))

    path = place / "docker.sock"
    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        async with open_engine(f"unix://{path}") as docker:
            yield docker
        tasks.cancel_scope.cancel()


async def test_an_engine_that_takes_a_question_and_never_answers_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_FIRST_ANSWER", 0.2)
    async with listening(tmp_path, b"", None) as docker:
        with anyio.fail_after(20), pytest.raises(ServerAway, match=r"has not answered for 0\.2 s"):
            await ask_engine(docker)


async def test_an_engine_that_this_user_may_not_use_is_not_told_as_one_that_does_not_run(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, b"", None) as docker:
        (tmp_path / "docker.sock").chmod(0)
        with (
            someone_else(tmp_path / "docker.sock") if os.geteuid() == 0 else nullcontext(),
            pytest.raises(ServerRefused, match="this user may not use the Docker engine"),
        ):
            await ask_engine(docker)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(b"application/json", b'{"Api', id="an answer that is cut off"),
        pytest.param(b"application/json", b"{}", id="something else that speaks JSON"),
        pytest.param(b"application/json", b'{"ApiVersion": "new"}', id="a version that is none"),
        pytest.param(b"text/html", b"<h1>Welcome</h1>", id="a web server"),
    ],
)
async def test_what_is_no_engine_is_told_as_that(tmp_path: Path, kind: bytes, body: bytes) -> None:
    async with listening(tmp_path, kind, body) as docker:
        with pytest.raises(
            ServerRefused, match=r"is none \(.+\)\. Correct plex\.docker\.engine or DOCKER_HOST"
        ):
            await ask_engine(docker)


async def test_a_bound_that_somebody_else_has_set_is_his() -> None:
    with anyio.move_on_after(0.05) as outer:
        with explained("waiting", within=30.0):
            await anyio.sleep_forever()
    assert outer.cancelled_caught
