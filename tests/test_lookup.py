"""Storage is asked by name, again if it does not answer, and what it has not said is unknown."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from plexsuper.clients.rclone.control import Address, Control, open_control
from plexsuper.clients.storage.lookup import RemoteLookup, name_below
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.health import Failure, Proof
from plexsuper.decisions.verification import GONE, PRESENT, Presence
from plexsuper.errors import StorageError


@dataclass
class Remote:
    """An rclone remote control on the loopback that serves a list of names. Unrealistic: it knows two questions only."""

    names: set[str]
    fault: Callable[[str, str], tuple[int, str] | None] = lambda question, path: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        question, path = request.path.removeprefix("/operations/"), (await request.json())["remote"]
        self.asked.append((question, path))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await anyio.sleep(0.002)
        self.at_once -= 1
        if (said := self.fault(question, path)) is not None:
            return web.json_response({"error": said[1]}, status=said[0])
        if question == "stat":
            item = {"Path": path, "Size": 1, "IsDir": False} if path in self.names else None
            return web.json_response({"item": item})
        below = {
            name[len(path) + 1 if path else 0 :]
            for name in self.names
            if name.startswith(f"{path}/" if path else "")
        }
        found = {(name.partition("/")[0], "/" in name) for name in below}
        if not found:
            return web.json_response({"error": "error in ListJSON: directory not found"}, status=404)
        entries = [
            {"Path": f"{path}/{n}" if path else n, "Size": 1, "IsDir": folder} for n, folder in sorted(found)
        ]
        return web.json_response({"list": entries})


@asynccontextmanager
async def serving(remote: Remote) -> AsyncIterator[Control]:
    app = web.Application()
    app.router.add_post("/operations/{question}", remote.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with open_control(Address(f"http://{host}:{port}"), "s3:media") as control:
            yield control
    finally:
        await runner.cleanup()


async def ask(
    remote: Remote, paths: Sequence[str], *, locations: Sequence[str] = (), limit: int = 4
) -> dict[str, Presence]:
    """Look *paths* up; the server calls the remote's root `/data`."""
    async with serving(remote) as control:
        lookup = RemoteLookup(
            lambda: control,
            lambda path: name_below(path, ["/data"]),
            connections=lambda: limit,
            locations=locations,
            deadline=5.0,
            pause=0.001,
        )
        return await lookup.find(paths)


async def test_a_directory_is_listed_once_and_a_single_name_is_asked_for() -> None:
    remote = Remote({"a/1", "a/2", "b/1", "c/1"})
    paths = ["/data/a/1", "/data/a/2", "/data/a/3", "/data/b/2"]
    assert list((await ask(remote, paths)).values()) == [PRESENT, PRESENT, GONE, GONE]
    assert sorted(remote.asked) == [("list", ""), ("list", "a"), ("stat", "b/2")]


async def test_a_single_name_that_is_there_is_confirmed_by_its_directory() -> None:
    remote = Remote({"a/Film"})
    assert list((await ask(remote, ["/data/a/Film"])).values()) == [PRESENT]
    assert remote.asked == [("stat", "a/Film"), ("list", "a")]


async def test_no_more_is_asked_at_once_than_is_allowed() -> None:
    remote = Remote({f"{folder}/{number}" for folder in range(40) for number in range(3)})
    found = await ask(remote, [f"/data/{name}" for name in sorted(remote.names)], limit=3)
    assert set(found.values()) == {PRESENT}
    assert (len(remote.asked), remote.most) == (40, 3)


async def test_a_directory_that_is_gone_takes_its_files_with_it_if_the_remote_is_there() -> None:
    remote = Remote({"a/1"})
    assert list((await ask(remote, ["/data/b/1", "/data/b/2"])).values()) == [GONE, GONE]
    found = await ask(Remote(set()), ["/data/b/1", "/data/b/2"])
    assert [said.kind for said in found.values()] == ["unknown", "unknown"]
    assert found["/data/b/1"].reason.startswith("nothing at all is left in the remote")


async def test_nothing_is_gone_from_a_location_that_is_empty() -> None:
    remote = Remote({"films/1", "other/1"})
    found = await ask(
        remote, ["/data/films/2", "/data/music/1", "/data/other/2"], locations=("/data/films/", "/data/music")
    )
    assert [said.kind for said in found.values()] == ["gone", "unknown", "gone"]


async def test_a_question_is_asked_again_and_the_later_answer_counts() -> None:
    errors = iter([(500, "connection reset by peer"), (503, "SlowDown")])
    remote = Remote({"a/1", "a/2"}, fault=lambda question, path: next(errors, None))
    assert set((await ask(remote, ["/data/a/1", "/data/a/2"])).values()) == {PRESENT}
    assert remote.asked == [("list", "a")] * 3


async def test_one_directory_that_cannot_be_read_leaves_the_others_known() -> None:
    remote = Remote(
        {"a/1", "b/1", "b/2"}, fault=lambda _, path: (500, "i/o timeout") if path == "b" else None
    )
    found = await ask(remote, ["/data/b/1", "/data/b/2", "/data/a/1", "/data/a/2"])
    assert [(said.kind, said.reason) for said in found.values()] == [
        ("unknown", "i/o timeout"),
        ("unknown", "i/o timeout"),
        ("present", ""),
        ("gone", ""),
    ]


async def test_a_remote_that_answers_nothing_is_not_asked_for_everything() -> None:
    remote = Remote(set(), fault=lambda *_: (500, "connection refused"))
    found = await ask(
        remote, [f"/data/{folder}/{number}" for folder in range(200) for number in range(2)], limit=4
    )
    assert {(said.kind, said.reason) for said in found.values()} == {("unknown", "connection refused")}
    assert len(remote.asked) <= 21  # three questions in a row, those that ran beside them, three tries each


async def test_refused_credentials_are_not_tried_again() -> None:
    remote = Remote({"a/1"}, fault=lambda *_: (500, "AccessDenied: StatusCode: 403"))
    assert {said.kind for said in (await ask(remote, ["/data/a/1", "/data/a/2"])).values()} == {"unknown"}
    assert len(remote.asked) == 1


async def test_a_remote_that_goes_away_before_the_last_word_takes_back_what_is_gone() -> None:
    remote = Remote({"a/1"}, fault=lambda _, path: None if path else (500, "connection refused"))
    found = await ask(remote, ["/data/a/1", "/data/a/2"])
    assert [said.kind for said in found.values()] == ["present", "unknown"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/media/a/b", "a/b"),
        ("/srv/media", ""),
        ("/srv/media/", ""),
        ("/srv/media2/a", None),
        ("/mnt/link/a", "a"),
    ],
)
def test_a_name_is_relative_to_the_mount(path: str, name: str | None) -> None:
    assert name_below(path, ["/srv/media/", "/mnt/link"]) == name


@pytest.fixture
def media(tmp_path: Path) -> Path:
    for name in ("Films/A/1.mkv", "Films/B/2.mkv", "Music/x.flac"):
        (tmp_path / "media" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / name).write_bytes(b"content" * 100)
    return tmp_path / "media"


@asynccontextmanager
async def through(media: Path, **more: Sequence[str]) -> AsyncIterator[MountLookup]:
    """Ask in a plain directory; the server calls it `/data`."""
    probe = ContentProbe(media)
    try:
        lookup = MountLookup(
            probe, lambda path: path.replace("/data", str(media), 1), deadline=10.0, pause=0.01, **more
        )
        yield lookup
    finally:
        await probe.aclose()


async def test_files_are_looked_up_through_a_directory_that_is_proved(media: Path) -> None:
    paths = ["/data/Films/A/1.mkv", "/data/Films/A/no.mkv", "/data/Films/no/1.mkv", "/data/Films/A/1.mkv/x"]
    async with through(media, locations=["/data/Films"], witnesses=["/data/Films/B/2.mkv"]) as lookup:
        assert list((await lookup.find(paths)).values()) == [PRESENT, GONE, GONE, GONE]
        many = [f"/data/Films/{number}.mkv" for number in range(321)]
        assert set((await lookup.find([*many, paths[0]])).values()) == {GONE, PRESENT}
        assert await lookup.find([]) == {}


async def test_one_name_that_cannot_be_asked_for_leaves_the_others_known(media: Path) -> None:
    async with through(media) as lookup:
        found = await lookup.find(
            ["/data/Films/A/1.mkv", "/data/" + "x" * 300, "/data/a\x00b", "/data/no.mkv"]
        )
    assert [said.kind for said in found.values()] == ["present", "unknown", "unknown", "gone"]
    assert "File name too long" in next(said.reason for said in found.values() if said.reason)


async def test_an_empty_directory_says_nothing(media: Path) -> None:
    async with through(media) as lookup:
        for name in ("Films", "Music"):
            await anyio.to_thread.run_sync(shutil.rmtree, media / name)
        found = await lookup.find(["/data/Films/A/1.mkv"])
    assert [said.kind for said in found.values()] == ["unknown"]
    assert "nothing is in it" in found["/data/Films/A/1.mkv"].reason


async def test_a_location_that_is_not_there_says_nothing_of_its_files(media: Path) -> None:
    async with through(media, locations=["/data/Films", "/data/Music"]) as lookup:
        await anyio.to_thread.run_sync(shutil.rmtree, media / "Films")
        found = await lookup.find(["/data/Films/A/1.mkv", "/data/Music/no.flac"])
    assert [(said.kind, said.reason) for said in found.values()] == [
        ("unknown", "/data/Films is not there at all"),
        ("gone", ""),
    ]


async def test_when_no_witness_is_there_either_nothing_is_gone(media: Path) -> None:
    witnesses = ["/data/Films/A/1.mkv", "/data/Films/B/2.mkv", "/data/Music/x.flac"]
    async with through(media, locations=["/data/Films", "/data/Music"], witnesses=witnesses) as lookup:
        for name in ("A", "B"):
            await anyio.to_thread.run_sync(shutil.rmtree, media / "Films" / name)
        (media / "Films" / "left.txt").write_text("the folder is not empty")
        found = await lookup.find(["/data/Films/C/3.mkv", "/data/Music/no.flac"])
    assert [said.kind for said in found.values()] == ["unknown", "gone"]
    assert found["/data/Films/C/3.mkv"].reason == "2 other files of /data/Films are not there either"


class Failing:
    """A probe that can be told when the storage fails; what is unrealistic: it does not look at any."""

    def __init__(self, looks: Sequence[bool], answers: Sequence[str]) -> None:
        self._looks = list(looks)
        self._answers = list(answers)

    async def look(self, deadline: float) -> Proof | Failure:
        good = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return (
            Proof(entries=1, latency=0.0, detail="")
            if good
            else Failure(reason="dead", detail="not connected")
        )

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        match self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]:
            case "no":
                return tuple("there" in os.fsdecode(path) for path in paths)
            case "hung":
                return Failure(reason="hung", detail="no answer")
            case _:
                raise StorageError("no process can be started")


@pytest.mark.parametrize(
    ("looks", "answers", "kinds"),
    [
        pytest.param([True], ["no"], ["gone", "present"], id="well"),
        pytest.param([False, False, True], ["no"], ["gone", "present"], id="well at the third look"),
        pytest.param([False], ["no"], ["unknown", "unknown"], id="dead before"),
        pytest.param([True, False], ["no"], ["unknown", "unknown"], id="dead after"),
        pytest.param([True], ["hung", "no"], ["gone", "present"], id="late once"),
        pytest.param([True], ["hung"], ["unknown", "unknown"], id="hung"),
        pytest.param([True], ["broken"], ["unknown", "unknown"], id="no helper"),
        pytest.param([True], ["no", "hung"], ["unknown", "present"], id="hung at the witnesses"),
    ],
)
async def test_a_mount_that_fails_meanwhile_has_said_nothing(
    looks: list[bool], answers: list[str], kinds: list[str]
) -> None:
    lookup = MountLookup(Failing(looks, answers), lambda path: path, witnesses=["/data/there 1"], pause=0.001)
    found = await lookup.find(["/data/1", "/data/there"])
    assert [said.kind for said in found.values()] == kinds
