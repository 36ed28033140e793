"""Odd answers: what is no answer of Plex is never an empty list, and one odd value hides nothing else."""

import json

import pytest

from plexsuper.clients.plex.notices import ActivityNotice, ItemNotice, OtherNotice, parse_frame
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway
from plexsuper.kinds import SectionType
from plexsuper.terms import Activity, Section
from tests.scripted import Scripted, answer
from tests.virtual_time import run_virtual


def plex_that_answers(body: object) -> Plex:
    given = answer(body)
    return Plex(Scripted({"GET /library/sections": given, "GET /activities": given}))


@pytest.mark.lesson("L01")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>Log in</p></body></html>',
            id="a proxy's page that is sound XML",
        ),
        pytest.param("<html><head/><body/></html>", id="a page that is sound XML"),
        pytest.param("<!DOCTYPE html><html><br></html>", id="a page that is none"),
        pytest.param("{}", id="JSON without a container"),
        pytest.param('{"errors":[{"code":1001,"message":"busy"}]}', id="an error in JSON"),
        pytest.param('{"status":"ok","size":0}', id="JSON of something else"),
        pytest.param('{"MediaContainer":[]}', id="a container of another kind"),
        pytest.param("", id="nothing"),
        pytest.param("null", id="null"),
        pytest.param('{"a":' * 200_000 + "1" + "}" * 200_000, id="JSON without a bottom"),
        pytest.param("<a>" * 5000 + "</a>" * 5000, id="XML without a bottom"),
    ],
)
def test_what_is_no_answer_of_plex_is_not_an_empty_list(body: str) -> None:
    plex = plex_that_answers(body)
    with pytest.raises(ServerAway, match="GET /library/sections: not an answer of Plex, check the URL"):
        run_virtual(plex.sections)
    with pytest.raises(ServerAway, match="GET /activities: not an answer of Plex, check the URL"):
        run_virtual(plex.activities)


@pytest.mark.parametrize(
    ("odd", "refreshing", "scanned_at"),
    [
        ({"agent": None, "scanner": None, "language": None, "Location": None}, False, None),
        ({"refreshing": None, "scannedAt": None}, False, None),
        ({"refreshing": "1", "scannedAt": "0"}, True, 0),
        ({"refreshing": 2, "scannedAt": 1762000100.0}, True, 1762000100),
        ({"refreshing": {}, "scannedAt": "2026-11-23"}, True, None),
        ({"refreshing": "", "scannedAt": []}, False, None),
        ({"scannedAt": "Infinity"}, False, None),
        ({"refreshing": "false", "scannedAt": 99999999999999}, False, 99999999999999),
    ],
)
def test_an_odd_value_does_not_hide_its_section(
    odd: dict[str, object], refreshing: bool, scanned_at: int | None
) -> None:
    row = {"key": "4", "type": "movie", "title": "Films", **odd}
    plex = plex_that_answers(json.dumps({"MediaContainer": {"size": 1, "Directory": [row]}}))
    assert run_virtual(plex.sections) == (
        Section(
            id=4,
            title="Films",
            type=SectionType.MOVIE,
            locations=(),
            refreshing=refreshing,
            scanned_at=scanned_at,
        ),
    )
    assert plex.skipped == ()


@pytest.mark.parametrize(
    "odd",
    [
        {"progress": None, "subtitle": None, "title": None},
        {"progress": "NaN", "cancellable": None},
        {"progress": "half", "userID": {}},
        {"progress": [], "cancellable": "0"},
    ],
)
def test_an_odd_value_does_not_hide_what_plex_is_doing(odd: dict[str, object]) -> None:
    row = {"uuid": "a-1", "type": "library.update.section", "Context": {"librarySectionID": "5"}, **odd}
    plex = plex_that_answers(json.dumps({"MediaContainer": {"size": 1, "Activity": [row]}}))
    assert run_virtual(plex.activities) == (Activity(uuid="a-1", kind="library.update.section", section=5),)


def test_a_lone_notification_need_not_be_in_a_list() -> None:
    entry = {"identifier": "com.plexapp.plugins.library", "sectionID": 1, "itemID": 5, "state": 5}
    frame = {"NotificationContainer": {"type": "timeline", "size": 1, "TimelineEntry": entry}}
    assert parse_frame(json.dumps(frame)) == (ItemNotice(section=1, item=5, state=5),)
    started = {"event": "started", "uuid": "u", "Activity": {"type": "library.update.section"}}
    frame = {"NotificationContainer": {"type": "activity", "size": 1, "ActivityNotification": started}}
    assert parse_frame(json.dumps(frame)) == (
        ActivityNotice(event="started", activity=Activity(uuid="u", kind="library.update.section")),
    )


def test_an_odd_entry_of_a_frame_does_not_hide_the_others() -> None:
    library = "com.plexapp.plugins.library"
    entries = [
        {"identifier": library, "sectionID": {}, "itemID": "x", "state": {}},
        {"identifier": library, "sectionID": "1", "itemID": "5", "state": "done"},
        {"identifier": library, "sectionID": "1", "itemID": "6", "state": 5},
    ]
    frame = {"NotificationContainer": {"type": "timeline", "size": 3, "TimelineEntry": entries}}
    assert parse_frame(json.dumps(frame)) == (
        OtherNotice(kind="timeline"),
        ItemNotice(section=1, item=5, state=-1),
        ItemNotice(section=1, item=6, state=5),
    )


@pytest.mark.parametrize("text", ['{"a":' * 200_000 + "1" + "}" * 200_000, "[" * 200_000])
def test_a_frame_without_a_bottom_is_one_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_frame(text)


@pytest.mark.lesson("L01")
@pytest.mark.parametrize(
    "body",
    [
        '{"MediaContainer":{"size":0}}',
        '<MediaContainer size="0"/>',
        '{"MediaContainer":{"Setting":[{"value":1}]}}',
    ],
)
@pytest.mark.parametrize("names", [(), ("autoEmptyTrash",)], ids=["all", "one"])
def test_a_server_without_a_single_setting_has_not_answered(body: str, names: tuple[str, ...]) -> None:
    plex = Plex(Scripted({"GET /:/prefs": answer(body)}))
    with pytest.raises(ServerAway, match="GET /:/prefs: Plex lists no settings at all"):
        run_virtual(plex.preferences, names)
