"""Two clients with one face: python-plexapi, which works with real servers, and plexsuper's own."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from plexapi import server as plexapi_server
from plexapi.exceptions import Unauthorized
from pydantic import SecretStr

from plexsuper.clients.plex.http import HttpTransport, open_http
from plexsuper.clients.plex.notices import ActivityNotice
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerRefused
from plexsuper.kinds import SectionType
from plexsuper.terms import SectionDefinition
from tests.real_simulator import PATIENCE

PlexServer: Any = plexapi_server.PlexServer  # it has no types


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
        until(
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


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
