"""Answers and notifications as real servers write them, in JSON and XML, become the values a run works with."""

import json

import pytest
from pydantic import SecretStr

from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.notices import ActivityNotice, ItemNotice, Notice, OtherNotice
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import (
    ButlerTask,
    Identity,
    Preference,
    ServerInfo,
    ServerNotUp,
    Session,
    UnknownSection,
)
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.kinds import SectionType
from plexsuper.terms import Activity, Section, SectionDefinition
from tests.scripted import EMPTY, HTML, XML, Scripted, Socket, answer
from tests.virtual_time import run_virtual

MACHINE = "0123456789abcdef0123456789abcdef01234567"
UNAUTHORIZED = "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
MAINTENANCE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response code="503" title="Maintenance" '
    'status="Plex Media Server is currently running database migrations." />\n'
)
STILL_STARTING = "<html><body>The server is still starting up. Please retry later.</body></html>"

IDENTITY_JSON = {
    "MediaContainer": {
        "size": 0, "apiVersion": "1.2.3", "claimed": False, "machineIdentifier": MACHINE,
        "version": "1.43.4.10903-e5521bd8c",
    }
}  # fmt: skip
IDENTITY_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0" apiVersion="1.2.3" claimed="1" '
    f'machineIdentifier="{MACHINE}" version="1.43.4.10903-e5521bd8c">\n</MediaContainer>\n'
)

SECTIONS_JSON = {
    "MediaContainer": {
        "size": 3, "allowSync": False, "title1": "Plex Library",
        "Directory": [
            {
                "allowSync": True, "art": "/:/resources/movie-fanart.jpg", "filters": True, "refreshing": False,
                "key": "2", "type": "movie", "title": "Movies", "agent": "tv.plex.agents.movie",
                "scanner": "Plex Movie", "language": "en-US", "uuid": "u-2", "updatedAt": 1762000000,
                "createdAt": 1761000000, "scannedAt": 1762000100, "content": True, "directory": True,
                "contentChangedAt": 5, "hidden": 0, "metadataAgentProviderGroupId": 1,
                "Location": [{"id": 2, "path": "/data/Movies"}, {"id": 7, "path": "/data/Bob's \"Films\""}],
            },
            {
                "key": "1", "type": "artist", "title": "Music", "agent": "tv.plex.agents.music",
                "scanner": "Plex Music", "language": "xn", "refreshing": True,
                "Location": [{"id": 1, "path": "/data/Music"}],
            },
            {"key": "9", "type": "hologram", "title": "Future", "Location": [{"id": 9, "path": "/data/f"}]},
        ],
    }
}  # fmt: skip
SECTIONS_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="2" allowSync="0" title1="Plex Library">\n'
    '<Directory allowSync="1" refreshing="0" key="2" type="movie" title="Movies" agent="tv.plex.agents.movie" '
    'scanner="Plex Movie" language="en-US" uuid="u-2" updatedAt="1762000000" scannedAt="1762000100">'
    '<Location id="2" path="/data/Movies" /><Location id="7" path="/data/Bob&apos;s &quot;Films&quot;" />'
    "</Directory>\n"
    '<Directory key="1" type="artist" title="Music" agent="tv.plex.agents.music" scanner="Plex Music" '
    'language="xn" refreshing="1" scannedAt=""><Location id="1" path="/data/Music" /></Directory>\n'
    "</MediaContainer>\n"
)
SECTIONS_OLD = {
    "_elementType": "MediaContainer",
    "size": "2",
    "_children": [
        {
            "_elementType": "Directory", "key": 2, "type": "movie", "title": "Movies",
            "agent": "tv.plex.agents.movie", "scanner": "Plex Movie", "language": "en-US", "refreshing": "0",
            "scannedAt": 1762000100,
            "_children": [
                {"_elementType": "Location", "id": 2, "path": "/data/Movies"},
                {"_elementType": "Location", "id": 7, "path": "/data/Bob's \"Films\""},
            ],
        },
        {
            "_elementType": "Directory", "key": "1", "type": "artist", "title": "Music",
            "agent": "tv.plex.agents.music", "scanner": "Plex Music", "language": "xn", "refreshing": 1,
            "_children": [{"_elementType": "Location", "id": 1, "path": "/data/Music"}],
        },
    ],
}  # fmt: skip
SECTIONS = (
    Section(
        id=2,
        title="Movies",
        type=SectionType.MOVIE,
        locations=("/data/Movies", '/data/Bob\'s "Films"'),
        agent="tv.plex.agents.movie",
        scanner="Plex Movie",
        language="en-US",
        refreshing=False,
        scanned_at=1762000100,
    ),
    Section(
        id=1,
        title="Music",
        type=SectionType.ARTIST,
        locations=("/data/Music",),
        agent="tv.plex.agents.music",
        scanner="Plex Music",
        language="xn",
        refreshing=True,
        scanned_at=None,
    ),
)

ACTIVITIES_JSON = {
    "MediaContainer": {
        "size": 3,
        "Activity": [
            {
                "uuid": "a-1", "type": "library.update.section", "cancellable": False, "userID": 1,
                "title": "Scanning Movies", "subtitle": "", "progress": -1,
                "Context": {"librarySectionID": "5"},
            },
            {
                "uuid": "a-2", "type": "media.generate.bif", "cancellable": True, "userID": 1, "title": "Thumbs",
                "subtitle": "Film", "progress": 42.5,
            },
            {"uuid": "a-3", "type": "butler", "title": "Butler", "progress": 100},
        ],
    }
}  # fmt: skip
ACTIVITIES_XML = (
    '<MediaContainer size="3"><Activity uuid="a-1" type="library.update.section" cancellable="0" userID="1" '
    'title="Scanning Movies" subtitle="" progress="-1"><Context librarySectionID="5" /></Activity>'
    '<Activity uuid="a-2" type="media.generate.bif" cancellable="1" userID="1" title="Thumbs" subtitle="Film" '
    'progress="42.5" /><Activity uuid="a-3" type="butler" title="Butler" progress="100"><Response /></Activity>'
    "</MediaContainer>"
)
ACTIVITIES = (
    Activity(uuid="a-1", kind="library.update.section", title="Scanning Movies", section=5),
    Activity(
        uuid="a-2",
        kind="media.generate.bif",
        title="Thumbs",
        subtitle="Film",
        progress=42.5,
        cancellable=True,
    ),
    Activity(uuid="a-3", kind="butler", title="Butler", progress=100.0),
)


def plex_with(**answers: Answer) -> tuple[Plex, Scripted]:
    """A client and its transport; `GET_butler=…` answers `GET /butler`, `GET__prefs=…` is `GET /:/prefs`."""
    script = Scripted({key.replace("__", " /:/").replace("_", " /"): value for key, value in answers.items()})
    return Plex(script), script


@pytest.mark.parametrize(
    ("body", "claimed"), [(IDENTITY_JSON, False), (IDENTITY_XML, True)], ids=["JSON", "XML"]
)
def test_the_identity_is_read_from_json_and_from_xml(body: object, claimed: bool) -> None:
    plex, script = plex_with(GET_identity=answer(body))
    wanted = Identity(claimed=claimed, machine=MACHINE, version="1.43.4.10903-e5521bd8c")
    assert run_virtual(plex.identity) == wanted
    assert script.asked[0].headers["Accept"] == "application/json"
    assert "X-Plex-Token" not in script.asked[0].headers


@pytest.mark.lesson("L17")
@pytest.mark.parametrize(
    ("given", "state", "status", "excerpt"),
    [
        (
            answer(MAINTENANCE, 503, XML), "migration", 503,
            ('<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations." />'),
        ),
        (
            answer(MAINTENANCE.replace("database migrations", "startup maintenance tasks"), 503, XML),
            "maintenance", 503,
            ('<Response code="503" title="Maintenance" status="Plex Media Server is currently running startup maintenance tasks." />'),
        ),
        (answer(STILL_STARTING, 503, HTML), "starting", 503, "The server is still starting up. Please retry later."),
        (answer(b"", 503, HTML), "maintenance", 503, ""),
        (answer("<html><h1>Service Unavailable</h1></html>", 503, HTML), "maintenance", 503, "Service Unavailable"),
        (answer("<html><h1>502 Bad Gateway</h1></html>", 502, HTML), "starting", 502, "502 Bad Gateway"),
        (answer(b"", 429, HTML), "starting", 429, ""),
        (answer(UNAUTHORIZED, 401, HTML), "error", 401, "Unauthorized 401 Unauthorized"),
        (answer("<html><h1>404 Not Found</h1></html>", 404, HTML), "error", 404, "404 Not Found"),
        (answer("<html><h1>It works!</h1></html>", 200, HTML), "error", 200, "It works!"),
        (answer('{"MediaContainer": {"size": 0}}'), "error", 200, '{"MediaContainer": {"size": 0}}'),
    ],
)  # fmt: skip
def test_a_server_that_is_not_up_says_why(given: Answer, state: str, status: int, excerpt: str) -> None:
    plex, _ = plex_with(GET_identity=given)
    with pytest.raises(ServerNotUp) as caught:
        run_virtual(plex.identity)
    assert (caught.value.state, caught.value.status, caught.value.excerpt) == (state, status, excerpt)


def test_a_server_that_sends_us_elsewhere_says_where_without_the_token() -> None:
    elsewhere, token = "https://plex.example/identity", "s3cretT0kenValue"
    plex, _ = plex_with(GET_identity=answer("", 301, HTML, Location=f"{elsewhere}?again={token}"))
    plex.token = SecretStr(token)
    with pytest.raises(ServerNotUp) as caught:
        run_virtual(plex.identity)
    said = str(caught.value)
    assert said.startswith(
        f"Plex is not ready (error): GET /identity answered 301 (it sends us on to {elsewhere}?again="
    )
    assert token not in said


def test_a_server_that_nobody_runs_is_refused() -> None:
    plex, script = plex_with()
    script.up = False
    with pytest.raises(ServerNotUp) as caught:
        run_virtual(plex.identity)
    assert (caught.value.state, caught.value.status) == ("refused", None)


@pytest.mark.parametrize(
    "body", [SECTIONS_JSON, SECTIONS_XML, SECTIONS_OLD], ids=["JSON", "XML", "older JSON with _children"]
)
def test_sections_are_the_same_in_every_form(body: object) -> None:
    plex, _ = plex_with(**{"GET_library/sections": answer(body)})
    assert run_virtual(plex.sections) == SECTIONS


def test_a_section_of_an_unknown_type_is_named_and_does_not_hide_the_others() -> None:
    plex, _ = plex_with(**{"GET_library/sections": answer(SECTIONS_JSON)})
    run_virtual(plex.sections)
    assert plex.skipped == (UnknownSection(title="Future", type="hologram"),)
    assert str(plex.skipped[0]) == "Future (type hologram)"


@pytest.mark.parametrize(
    "body", ['{"MediaContainer":{"size":0,"allowSync":false}}', '<MediaContainer size="0"/>']
)
def test_an_empty_list_has_no_child_at_all(body: str) -> None:
    plex, _ = plex_with(**{"GET_library/sections": answer(body), "GET_activities": answer(body)})
    assert run_virtual(plex.sections) == ()
    assert run_virtual(plex.activities) == ()


@pytest.mark.lesson("L32")
def test_a_location_that_is_not_utf8_keeps_its_bytes() -> None:
    row = b'{"key":"1","type":"movie","title":"F","Location":[{"id":1,"path":"/data/caf\xe9"}]}'
    plex, _ = plex_with(
        **{"GET_library/sections": answer(b'{"MediaContainer":{"size":1,"Directory":[' + row + b"]}}")}
    )
    (section,) = run_virtual(plex.sections)
    assert section.locations[0].encode("utf-8", "surrogateescape") == b"/data/caf\xe9"


@pytest.mark.parametrize("body", [ACTIVITIES_JSON, ACTIVITIES_XML], ids=["JSON", "XML"])
def test_an_activity_has_its_section_from_its_context_and_no_progress_below_zero(body: object) -> None:
    plex, _ = plex_with(GET_activities=answer(body))
    assert run_virtual(plex.activities) == ACTIVITIES


@pytest.mark.parametrize(
    ("status", "cancelled"), [(200, True), (400, False), (404, False)], ids=["200", "400", "404"]
)
def test_an_activity_is_cancelled_or_was_not_to_be_cancelled(status: int, cancelled: bool) -> None:
    plex, _ = plex_with(**{"DELETE_activities/a-1": answer(b"", status, HTML)})
    assert run_virtual(plex.cancel_activity, "a-1") is cancelled


def test_the_root_tells_claim_and_plex_pass() -> None:
    root = {
        "size": 29, "friendlyName": "tower", "machineIdentifier": MACHINE, "myPlex": True,
        "myPlexMappingState": "mapped", "myPlexSigninState": "ok", "myPlexSubscription": True,
        "myPlexUsername": "someone", "version": "1.43.1.10611", "Directory": [{"count": 1, "key": "butler"}],
    }  # fmt: skip
    plex, _ = plex_with(GET_=answer({"MediaContainer": root}))
    wanted = ServerInfo(version="1.43.1.10611", machine=MACHINE, claimed=True, plex_pass=True, name="tower")
    assert run_virtual(plex.server) == wanted


def test_an_unclaimed_root_has_no_plex_pass() -> None:
    xml = f'<MediaContainer size="0" machineIdentifier="{MACHINE}" myPlex="1" myPlexSubscription="0" version="1"/>'
    plex, _ = plex_with(GET_=answer(xml, content_type=XML))
    assert run_virtual(plex.server) == ServerInfo(
        version="1", machine=MACHINE, claimed=False, plex_pass=False
    )


PREFS_JSON = {
    "MediaContainer": {
        "size": 5,
        "Setting": [
            {"id": "autoEmptyTrash", "label": "…", "type": "bool", "default": True, "value": False, "hidden": False},
            {"id": "ButlerStartHour", "type": "int", "default": 2, "value": 3, "enumValues": "0:Midnight|1:1 am|2:2 am"},
            {"id": "GenerateBIFBehavior", "type": "text", "default": "never", "value": "asap",
             "enumValues": "never:never|scheduled:as a scheduled task|asap:as a scheduled task and when media is added"},
            {"id": "DlnaGain", "type": "double", "default": 1.0, "value": 0.25},
            {"id": "FriendlyName", "type": "text", "default": "", "value": ""},
        ],
    }
}  # fmt: skip
PREFS_XML = (
    '<MediaContainer size="5"><Setting id="autoEmptyTrash" label="x" type="bool" default="true" value="0" />'
    '<Setting id="ButlerStartHour" type="int" default="2" value="3" enumValues="0:Midnight|1:1 am|2:2 am" />'
    '<Setting id="GenerateBIFBehavior" type="text" default="never" value="asap" enumValues="never:never|'
    'scheduled:as a scheduled task|asap:as a scheduled task and when media is added" />'
    '<Setting id="DlnaGain" type="double" default="1" value="0.25" />'
    '<Setting id="FriendlyName" type="text" default="" value="" /></MediaContainer>'
)


@pytest.mark.parametrize("body", [PREFS_JSON, PREFS_XML], ids=["JSON", "XML"])
def test_preferences_are_written_as_the_server_takes_them(body: object) -> None:
    plex, _ = plex_with(GET__prefs=answer(body))
    found = run_virtual(plex.preferences)
    assert list(found.values()) == [
        Preference(id="autoEmptyTrash", value="0", default="1", type="bool"),
        Preference(id="ButlerStartHour", value="3", default="2", type="int", choices=("0", "1", "2")),
        Preference(
            id="GenerateBIFBehavior",
            value="asap",
            default="never",
            type="text",
            choices=("never", "scheduled", "asap"),
        ),
        Preference(id="DlnaGain", value="0.25", default="1", type="double"),
        Preference(id="FriendlyName", value="", default="", type="text"),
    ]
    assert found["autoEmptyTrash"].id == "autoEmptyTrash"


@pytest.mark.parametrize("body", [PREFS_JSON, PREFS_XML], ids=["JSON", "XML"])
def test_some_preferences_are_read_as_they_are_among_all_of_them(body: object) -> None:
    plex, _ = plex_with(GET__prefs=answer(body))
    assert run_virtual(plex.preferences, ("ButlerStartHour", "MusicAnalysisBehavior")) == {
        "ButlerStartHour": Preference(
            id="ButlerStartHour", value="3", default="2", type="int", choices=("0", "1", "2")
        )
    }
    assert run_virtual(plex.preferences, ("MusicAnalysisBehavior",)) == {}


def test_preferences_are_set_in_one_request_and_none_makes_no_request() -> None:
    plex, script = plex_with(PUT__prefs=EMPTY)
    run_virtual(plex.set_preferences, {"autoEmptyTrash": "0", "ButlerStartHour": "3"})
    run_virtual(plex.set_preferences, {})
    (asked,) = script.asked
    assert asked.params == [("autoEmptyTrash", "0"), ("ButlerStartHour", "3")]


def test_butler_tasks_come_from_their_own_root() -> None:
    task = {
        "name": "BackupDatabase",
        "title": "Backup",
        "enabled": True,
        "interval": 3,
        "scheduleRandomized": False,
    }
    xml = (
        '<ButlerTasks><ButlerTask name="BackupDatabase" title="Backup" enabled="1" interval="3" '
        'scheduleRandomized="0" /></ButlerTasks>'
    )
    for body in ({"ButlerTasks": {"ButlerTask": [task]}}, xml):
        plex, _ = plex_with(GET_butler=answer(body))
        wanted = (ButlerTask(name="BackupDatabase", title="Backup", enabled=True, interval=3),)
        assert run_virtual(plex.butler_tasks) == wanted


def test_a_butler_task_is_started_or_runs_already_or_is_unknown() -> None:
    plex, _ = plex_with(
        **{
            "POST_butler/MusicAnalysis": EMPTY,
            "POST_butler/OptimizeDatabase": answer(b"", 202, HTML),
            "POST_butler/Nonsense": answer(b"", 404, HTML),
            "DELETE_butler/OptimizeDatabase": answer(b"", 404, HTML),
            "DELETE_butler": EMPTY,
        }
    )
    assert run_virtual(plex.start_butler, "MusicAnalysis") is True
    assert run_virtual(plex.start_butler, "OptimizeDatabase") is False
    with pytest.raises(ServerRefused, match="POST /butler/Nonsense: Plex answered 404"):
        run_virtual(plex.start_butler, "Nonsense")
    run_virtual(plex.stop_butler, "OptimizeDatabase")
    run_virtual(plex.stop_all_butler)


def test_sessions_are_read_from_json_and_xml() -> None:
    json_body = {
        "MediaContainer": {
            "size": 1,
            "Metadata": [
                {"sessionKey": "1", "title": "Film", "type": "movie", "User": {"id": "1", "title": "eve"}}
            ],
        }
    }
    xml = (
        '<MediaContainer size="1"><Video sessionKey="1" title="Film" type="movie"><User id="1" title="eve" />'
        "</Video></MediaContainer>"
    )
    for body in (json_body, xml):
        plex, _ = plex_with(**{"GET_status/sessions": answer(body)})
        assert run_virtual(plex.sessions) == (Session(key="1", title="Film", kind="movie", user="eve"),)
    plex, _ = plex_with(**{"GET_status/sessions": answer('<MediaContainer size="0"/>')})
    assert run_virtual(plex.sessions) == ()


MOVIES = SectionDefinition(
    title="Movies & more",
    type=SectionType.MOVIE,
    agent="tv.plex.agents.movie",
    scanner="Plex Movie",
    language="en-US",
    paths=("/data/Movies", "/data/Bob's"),
)


def test_a_section_is_created_and_its_id_comes_from_the_location_header() -> None:
    created = answer(b"", 201, HTML, Location="/library/sections/17")
    plex, script = plex_with(**{"POST_library/sections": created})
    assert run_virtual(plex.create_section, MOVIES) == 17
    assert script.asked[0].params == [
        ("name", "Movies & more"),
        ("type", "1"),
        ("agent", "tv.plex.agents.movie"),
        ("scanner", "Plex Movie"),
        ("language", "en-US"),
        ("location", "/data/Movies"),
        ("location", "/data/Bob's"),
    ]


def test_still_starting_up_is_recognised_by_its_sentence_and_not_by_its_status() -> None:
    plex, _ = plex_with(**{"POST_library/sections": answer(STILL_STARTING, 400, HTML)})
    with pytest.raises(ServerAway, match=r"POST /library/sections: Plex answered 400: .*still starting up"):
        run_virtual(plex.create_section, MOVIES)
    plex, _ = plex_with(**{"POST_library/sections": answer("Bad location", 400, HTML)})
    with pytest.raises(ServerRefused, match="Bad location"):
        run_virtual(plex.create_section, MOVIES)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_scan_is_a_get_and_a_post_where_get_is_no_more(status: int) -> None:
    plex, script = plex_with(**{"GET_library/sections/3/refresh": EMPTY})
    run_virtual(lambda: plex.scan(3, force=True, path="/data/Movies/A & B"))
    assert script.asked[0].params == [("force", "1"), ("path", "/data/Movies/A & B")]
    plex, script = plex_with(
        **{
            "GET_library/sections/3/refresh": answer(b"", status, HTML),
            "POST_library/sections/3/refresh": EMPTY,
        }
    )
    run_virtual(plex.scan, 3)
    assert script.said("") == ["GET /library/sections/3/refresh", "POST /library/sections/3/refresh"]


def test_a_scan_of_a_section_that_is_not_there_is_refused() -> None:
    missing = answer("<html><body><h1>404 Not Found</h1></body></html>", 404, HTML)
    plex, _ = plex_with(
        **{"GET_library/sections/3/refresh": missing, "POST_library/sections/3/refresh": missing}
    )
    with pytest.raises(ServerRefused, match="/library/sections/3/refresh: Plex answered 404: 404 Not Found"):
        run_virtual(plex.scan, 3)


def test_every_deed_uses_the_method_that_real_servers_take() -> None:
    plex, script = plex_with(
        **{
            "DELETE_library/sections/3/refresh": EMPTY,
            "PUT_library/sections/3/analyze": EMPTY,
            "PUT_library/sections/3/emptyTrash": EMPTY,
        }
    )
    for deed in (plex.cancel_scan, plex.analyze, plex.empty_trash):
        run_virtual(deed, 3)
    assert script.said("") == [
        "DELETE /library/sections/3/refresh",
        "PUT /library/sections/3/analyze",
        "PUT /library/sections/3/emptyTrash",
    ]


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, UNAUTHORIZED, ServerRefused, r"GET /activities: Plex answered 401: Unauthorized 401 Unauthorized; the token"),
        (404, "<html><body><h1>404 Not Found</h1></body></html>", ServerRefused, "404: 404 Not Found"),
        (500, "", ServerAway, "GET /activities: Plex answered 500$"),
        (503, MAINTENANCE, ServerAway, "currently running database migrations"),
        (200, "hello", ServerAway, "not an answer of Plex, check the URL: hello"),
        (200, "[1, 2]", ServerAway, "not an answer of Plex"),
        (302, "", ServerRefused, "Plex answered 302"),
    ],
)  # fmt: skip
def test_an_error_says_what_was_asked_and_what_came_back(
    status: int, body: str, error: type[Exception], message: str
) -> None:
    plex, _ = plex_with(GET_activities=answer(body, status, HTML))
    with pytest.raises(error, match=message):
        run_virtual(plex.activities)


@pytest.mark.lesson("F05")
def test_the_token_goes_into_a_header_and_into_no_message() -> None:
    plex, script = plex_with(
        GET_activities=answer(
            'no access for X-Plex-Token=s3cretT0kenValue or "authToken":"other-secret-9"', 401, HTML
        )
    )
    plex.token = SecretStr("s3cretT0kenValue")
    with pytest.raises(ServerRefused) as caught:
        run_virtual(plex.activities)
    assert script.asked[0].headers["X-Plex-Token"] == "s3cretT0kenValue"
    assert script.asked[0].params == []
    assert "s3cret" not in str(caught.value)
    assert "other-secret" not in str(caught.value)


# --- notifications -----------------------------------------------------------------------------------


def heard(*frames: str, path: str = "/:/websockets/notifications") -> tuple[list[Notice], Plex, Scripted]:
    """What a client hears from a socket that says *frames* and is cut."""
    script = Scripted()

    async def story() -> list[Notice]:
        script.sockets[path] = socket = Socket()
        for frame in frames:
            socket.raw(frame)
        socket.cut()
        async with plex.notifications() as notices:
            return [notice async for notice in notices]

    plex = Plex(script)
    return run_virtual(story), plex, script


def frame(kind: str, key: str, *elements: object) -> str:
    return json.dumps({"NotificationContainer": {"type": kind, "size": len(elements), key: list(elements)}})


def test_an_activity_notification_names_event_activity_and_section() -> None:
    activity = {
        "uuid": "a-1", "type": "library.update.section", "cancellable": False, "userID": 1,
        "title": "Scanning Movies", "subtitle": "", "progress": 12, "Context": {"librarySectionID": "5"},
    }  # fmt: skip
    ended = {
        "event": "ended",
        "uuid": "a-1",
        "Activity": {k: v for k, v in activity.items() if k != "Context"},
    }
    notices, _, _ = heard(
        frame("activity", "ActivityNotification", {"event": "started", "uuid": "a-1", "Activity": activity}),
        frame("activity", "ActivityNotification", ended),
    )
    running = Activity(
        uuid="a-1", kind="library.update.section", title="Scanning Movies", section=5, progress=12.0
    )
    over = Activity(uuid="a-1", kind="library.update.section", title="Scanning Movies", progress=12.0)
    assert notices == [
        ActivityNotice(event="started", activity=running),
        ActivityNotice(event="ended", activity=over),
    ]


def test_timeline_entries_count_only_with_an_item_and_the_library_identifier() -> None:
    entry = {
        "identifier": "com.plexapp.plugins.library",
        "sectionID": "1",
        "itemID": "10141",
        "type": 1,
        "title": "F",
    }
    notices, _, _ = heard(
        frame(
            "timeline", "TimelineEntry",
            {**entry, "state": 0, "metadataState": "created", "queueSize": 4},
            {**entry, "state": 5, "updatedAt": 1762000000},
            {**entry, "state": 9, "metadataState": "deleted"},
            {**entry, "identifier": "com.plexapp.system", "state": 5},
            {"identifier": "com.plexapp.plugins.library", "sectionID": "-1", "type": -1, "state": 5},
        )
    )  # fmt: skip
    assert notices == [
        ItemNotice(section=1, item=10141, state=0, metadata_state="created", queue_size=4),
        ItemNotice(section=1, item=10141, state=5),
        ItemNotice(section=1, item=10141, state=9, metadata_state="deleted"),
        OtherNotice(kind="timeline"),
        OtherNotice(kind="timeline"),
    ]
    created, finished, deleted = (n for n in notices if isinstance(n, ItemNotice))
    assert (created.finished, finished.finished, deleted.finished) == (False, True, False)
    assert (created.deleted, finished.deleted, deleted.deleted) == (False, False, True)


def test_other_kinds_and_the_old_form_are_understood() -> None:
    old = {
        "_elementType": "NotificationContainer", "type": "status", "size": 1,
        "_children": [{"_elementType": "StatusNotification", "title": "Library scan complete", "description": ""}],
    }  # fmt: skip
    notices, _, _ = heard(
        json.dumps(old),
        frame("reachability", "ReachabilityNotification", {"reachability": True}),
        json.dumps({"NotificationContainer": {"type": "somethingNew", "size": 0}}),
        frame("progress", "ProgressNotification", {"message": "Scanning the library"}),
    )
    assert notices == [
        OtherNotice(kind="status", text="Library scan complete"),
        OtherNotice(kind="reachability"),
        OtherNotice(kind="somethingNew"),
        OtherNotice(kind="progress", text="Scanning the library"),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "not json", "[]", "{}", '{"NotificationContainer": []}', '{"NotificationContainer":{"type":3}}',
        '{"NotificationContainer":{"type":"activity","ActivityNotification":[{"event":"ended"}]}}',
        '{"NotificationContainer":{"type":"timeline","TimelineEntry":["x"]}}',
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_counted_and_passed_over(bad: str) -> None:
    good = frame("account", "AccountUpdateNotification", {})
    notices, plex, _ = heard(bad, good)
    assert notices == [OtherNotice(kind="account")]
    assert plex.malformed == 1


def test_the_singular_path_is_tried_where_the_plural_one_is_unknown() -> None:
    notices, _, script = heard(
        frame("account", "AccountUpdateNotification", {}), path="/:/websocket/notifications"
    )
    assert notices == [OtherNotice(kind="account")]
    assert script.said("WS") == ["WS /:/websockets/notifications", "WS /:/websocket/notifications"]
