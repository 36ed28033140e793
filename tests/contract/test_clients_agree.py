"""One set of assertions about a simulated server over real HTTP, for a client that is not ours and for our own.

The first client is python-plexapi, which works with real servers; what it can use, the simulator serves well.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import pytest
from plexapi import server as plexapi_server
from plexapi.exceptions import NotFound, Unauthorized
from pydantic import SecretStr

from plexsuper.clients.http import HttpTransport, open_http
from plexsuper.clients.notices import ActivityNotice
from plexsuper.clients.plex import Plex
from plexsuper.errors import ServerRefused
from plexsuper.kinds import SectionType
from plexsuper.terms import SectionDefinition
from tests.real_simulator import PATIENCE, QUICK, TOKEN, Simulator, simulator, write_media

PlexServer: Any = plexapi_server.PlexServer  # it has no types

KNOBS = (
    *QUICK,
    "analyze_new=0",
    "metadata_gap=0.2",
    "metadata_seconds=0.5",
    "queue_seconds=0.1",
    "first_scan=0",
)


class Client(Protocol):
    """What both clients can do."""

    refusal: type[Exception]

    def sections(self) -> dict[str, tuple[int, str, tuple[str, ...], bool]]: ...
    def create(self, title: str, path: str) -> None: ...
    def scan(self, section: int) -> None: ...
    def cancel_scan(self, section: int) -> None: ...
    def analyze(self, section: int) -> None: ...
    def empty_trash(self, section: int) -> None: ...
    def activities(self) -> list[tuple[str, float | None]]: ...
    def setting(self, name: str) -> str: ...
    def change(self, name: str, value: bool) -> None: ...
    def butler_tasks(self) -> set[str]: ...
    def start_butler(self, task: str) -> None: ...
    def events(self, trigger: Callable[[], None], wanted: str) -> list[str]: ...


class PlexApi:
    """python-plexapi."""

    refusal = Unauthorized

    def __init__(self, url: str, token: str) -> None:
        self._plex = PlexServer(url, token)

    def sections(self) -> dict[str, tuple[int, str, tuple[str, ...], bool]]:
        self._plex = PlexServer(self._plex._baseurl, self._plex._token)
        return {
            section.title: (int(section.key), section.type, tuple(section.locations), section.refreshing)
            for section in self._plex.library.sections()
        }

    def _section(self, number: int) -> Any:
        return self._plex.library.sectionByID(number)

    def create(self, title: str, path: str) -> None:
        # plexapi's own method first asks the server's file browser for the path, which plexsuper never uses
        query = urlencode(
            {
                "name": title,
                "type": 1,
                "agent": "tv.plex.agents.movie",
                "scanner": "Plex Movie",
                "language": "en-US",
                "location": path,
            }
        )
        self._plex.query(f"/library/sections?{query}", method=self._plex._session.post)

    def scan(self, section: int) -> None:
        self._section(section).update()

    def cancel_scan(self, section: int) -> None:
        self._section(section).cancelUpdate()

    def analyze(self, section: int) -> None:
        self._section(section).analyze()

    def empty_trash(self, section: int) -> None:
        self._section(section).emptyTrash()

    def activities(self) -> list[tuple[str, float | None]]:
        return [
            (activity.type, None if activity.progress < 0 else float(activity.progress))
            for activity in self._plex.activities
        ]

    def setting(self, name: str) -> str:
        value = PlexServer(self._plex._baseurl, self._plex._token).settings.get(name).value
        return str(int(value)) if isinstance(value, bool) else str(value)

    def change(self, name: str, value: bool) -> None:
        self._plex.settings.get(name).set(value)
        self._plex.settings.save()

    def butler_tasks(self) -> set[str]:
        return {task.name for task in self._plex.butlerTasks()}

    def start_butler(self, task: str) -> None:
        self._plex.runButlerTask(task)

    def events(self, trigger: Callable[[], None], wanted: str) -> list[str]:
        seen: list[str] = []
        done = threading.Event()

        def note(data: dict[str, Any]) -> None:
            for element in data.get("ActivityNotification", ()):
                if element["Activity"]["type"] == wanted:
                    seen.append(element["event"])
                    if element["event"] == "ended":
                        done.set()

        listener = self._plex.startAlertListener(note)
        _until(
            lambda: listener._ws is not None and listener._ws.sock is not None and listener._ws.sock.connected
        )
        trigger()
        assert done.wait(PATIENCE)
        listener._ws.sock.sock.shutdown(socket.SHUT_RDWR)  # its own stop() wakes up only after 10 s
        listener.join(PATIENCE)
        return seen


class Own:
    """plexsuper's client."""

    refusal = ServerRefused

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._do(lambda plex: plex.server())

    def _do(self, deed: Callable[[Plex], Any]) -> Any:
        async def main() -> Any:
            async with open_http(self._url) as transport:
                return await deed(self._plex(transport))

        return anyio.run(main)

    def _plex(self, transport: HttpTransport) -> Plex:
        plex = Plex(transport)
        plex.token = SecretStr(self._token)
        return plex

    def sections(self) -> dict[str, tuple[int, str, tuple[str, ...], bool]]:
        return {
            section.title: (section.id, section.type.api, section.locations, section.refreshing)
            for section in self._do(lambda plex: plex.sections())
        }

    def create(self, title: str, path: str) -> None:
        definition = SectionDefinition(
            title=title,
            type=SectionType.MOVIE,
            agent="tv.plex.agents.movie",
            scanner="Plex Movie",
            language="en-US",
            paths=(path,),
        )
        self._do(lambda plex: plex.create_section(definition))

    def scan(self, section: int) -> None:
        self._do(lambda plex: plex.scan(section))

    def cancel_scan(self, section: int) -> None:
        self._do(lambda plex: plex.cancel_scan(section))

    def analyze(self, section: int) -> None:
        self._do(lambda plex: plex.analyze(section))

    def empty_trash(self, section: int) -> None:
        self._do(lambda plex: plex.empty_trash(section))

    def activities(self) -> list[tuple[str, float | None]]:
        return [(activity.kind, activity.progress) for activity in self._do(lambda plex: plex.activities())]

    def setting(self, name: str) -> str:
        value: str = self._do(lambda plex: plex.preferences())[name].value
        return value

    def change(self, name: str, value: bool) -> None:
        self._do(lambda plex: plex.set_preferences({name: str(int(value))}))

    def butler_tasks(self) -> set[str]:
        return {task.name for task in self._do(lambda plex: plex.butler_tasks())}

    def start_butler(self, task: str) -> None:
        self._do(lambda plex: plex.start_butler(task))

    def events(self, trigger: Callable[[], None], wanted: str) -> list[str]:
        async def listen(plex: Plex) -> list[str]:
            seen: list[str] = []
            with anyio.fail_after(PATIENCE):
                async with plex.notifications() as notices:
                    await anyio.to_thread.run_sync(trigger)
                    async for notice in notices:
                        if isinstance(notice, ActivityNotice) and notice.activity.kind == wanted:
                            seen.append(notice.event)
                            if notice.event == "ended":
                                break
            return seen

        found: list[str] = self._do(listen)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    home = tmp_path_factory.mktemp("contract")
    write_media(home / "media")
    with simulator(home, knobs=KNOBS) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture(params=[PlexApi, Own])
def client(request: pytest.FixtureRequest, server: Simulator) -> Client:
    made: Client = request.param(server.url, TOKEN)
    return made


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_sections_are_listed_with_type_and_places(client: Client, server: Simulator) -> None:
    found = client.sections()
    assert found["Movies"][1:3] == ("movie", (str(server.media / "Movies"),))
    assert found["Music"][1:3] == ("artist", (str(server.media / "Music"),))


def test_a_scan_can_be_watched_from_its_start_to_its_end(client: Client, server: Simulator) -> None:
    section = client.sections()["Movies"][0]
    scans = len(server.truth("scan.ended", section=section))
    for folder in (server.media / "Movies").iterdir():
        (folder / f"New {scans}.mkv").write_bytes(b"new")
    client.scan(section)
    _until(lambda: client.sections()["Movies"][3])
    _until(lambda: not client.sections()["Movies"][3])
    (ended,) = server.wait_for("scan.ended", scans + 1, section=section)[scans:]
    assert (ended["outcome"], ended["added"] > 0) == ("done", True)


def test_a_scan_can_be_cancelled(client: Client, server: Simulator) -> None:
    section = client.sections()["Music"][0]
    scans = len(server.truth("scan.ended", section=section))
    for number in range(60):
        (server.media / "Music" / "Artist" / f"Album {scans} {number}").mkdir()
        (server.media / "Music" / "Artist" / f"Album {scans} {number}" / "01 - T.mp3").write_bytes(b"t")
    client.scan(section)
    _until(lambda: client.sections()["Music"][3])
    client.cancel_scan(section)
    assert server.wait_for("scan.ended", scans + 1, section=section)[scans]["outcome"] == "cancelled"
    _until(lambda: not client.sections()["Music"][3])


def test_an_analysis_opens_the_files(client: Client, server: Simulator, tmp_path: Path) -> None:
    section = client.sections()["Movies"][0]
    asked = len(server.truth("request", path=f"/library/sections/{section}/analyze"))
    client.analyze(section)
    server.wait_for("request", asked + 1, path=f"/library/sections/{section}/analyze")
    if not asked:
        assert server.wait_for("analysis.ended", 1, section=section)[0]["failed"] == []


def test_an_idle_server_has_one_activity(client: Client) -> None:
    _until(lambda: client.activities() == [("butler", 100.0)])


def test_a_setting_is_changed_and_read_back(client: Client) -> None:
    for value in (False, True):
        client.change("autoEmptyTrash", value)
        assert client.setting("autoEmptyTrash") == str(int(value))
    assert client.setting("ScheduledLibraryUpdateInterval") == "3600"
    assert client.setting("GenerateBIFBehavior") == "never"


def test_a_butler_task_is_started(client: Client, server: Simulator) -> None:
    assert {"MusicAnalysis", "DeepMediaAnalysis", "BackupDatabase"} <= client.butler_tasks()
    before = len(server.truth("butler.started", task="BackupDatabase"))
    client.start_butler("BackupDatabase")
    server.wait_for("butler.started", before + 1, task="BackupDatabase")
    server.wait_for("butler.ended", before + 1, task="BackupDatabase")


def test_notifications_tell_of_a_scan(client: Client) -> None:
    section = client.sections()["Movies"][0]
    events = client.events(lambda: client.scan(section), "library.update.section")
    assert (events[0], events[-1]) == ("started", "ended")


def test_the_trash_is_emptied(client: Client, server: Simulator) -> None:
    section = client.sections()["Movies"][0]
    before = len(server.truth("trash.ended", section=section))
    client.empty_trash(section)
    server.wait_for("trash.ended", before + 1, section=section)


def test_a_section_is_created(client: Client, server: Simulator) -> None:
    title = f"Made by {type(client).__name__}"
    place = server.media / title
    place.mkdir()
    client.create(title, str(place))
    assert client.sections()[title][1:3] == ("movie", (str(place),))


@pytest.mark.parametrize("kind", [PlexApi, Own])
def test_a_wrong_token_is_refused(kind: type[PlexApi | Own], server: Simulator) -> None:
    with pytest.raises(kind.refusal):
        kind(server.url, "wrong")


def test_what_is_not_there_is_not_found(server: Simulator) -> None:
    with pytest.raises(NotFound):
        PlexServer(server.url, TOKEN).query("/nowhere")
