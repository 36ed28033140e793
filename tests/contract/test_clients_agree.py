"""One set of assertions about a simulated server over real HTTP, for a client that is not ours and for our own.

The first client is python-plexapi, which works with real servers; what it can use, the simulator serves well.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from plexapi.exceptions import NotFound

from tests.contract.clients import Client, Own, PlexApi, PlexServer, until
from tests.real_simulator import QUICK, TOKEN, Simulator, simulator, write_media

KNOBS = (
    *QUICK,
    "analyze_new=0",
    "metadata_gap=0.2",
    "metadata_seconds=0.5",
    "queue_seconds=0.1",
    "first_scan=0",
)


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
    until(lambda: client.sections()["Movies"][3])
    until(lambda: not client.sections()["Movies"][3])
    (ended,) = server.wait_for("scan.ended", scans + 1, section=section)[scans:]
    assert (ended["outcome"], ended["added"] > 0) == ("done", True)


def test_a_scan_can_be_cancelled(client: Client, server: Simulator) -> None:
    section = client.sections()["Music"][0]
    scans = len(server.truth("scan.ended", section=section))
    for number in range(60):
        (server.media / "Music" / "Artist" / f"Album {scans} {number}").mkdir()
        (server.media / "Music" / "Artist" / f"Album {scans} {number}" / "01 - T.mp3").write_bytes(b"t")
    client.scan(section)
    until(lambda: client.sections()["Music"][3])
    client.cancel_scan(section)
    assert server.wait_for("scan.ended", scans + 1, section=section)[scans]["outcome"] == "cancelled"
    until(lambda: not client.sections()["Music"][3])


def test_an_analysis_opens_the_files(client: Client, server: Simulator, tmp_path: Path) -> None:
    section = client.sections()["Movies"][0]
    asked = len(server.truth("request", path=f"/library/sections/{section}/analyze"))
    client.analyze(section)
    server.wait_for("request", asked + 1, path=f"/library/sections/{section}/analyze")
    if not asked:
        assert server.wait_for("analysis.ended", 1, section=section)[0]["failed"] == []


def test_an_idle_server_has_one_activity(client: Client) -> None:
    until(lambda: client.activities() == [("butler", 100.0)])


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
