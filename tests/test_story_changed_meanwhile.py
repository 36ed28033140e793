"""Runs in which somebody else changes Plex while they go on: what is gone is neither waited for nor called lost."""

import json
from dataclasses import replace

import anyio
import pytest

from plexsuper import events as e
from plexsuper.clients.plex import http
from plexsuper.clients.plex.http import Answer
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase
from tests.story import Story, life, play
from tests.test_story_guard import BLIND
from tests.test_story_guard import FILMS as MANY
from tests.test_story_runs import FILMS, MUSIC, PHOTOS, SERIES
from tests.told_otherwise import telling

OURS = {"command": ("plex",)}
DELETED = "the section was deleted in Plex while the run went on"


async def tell_plex(story: Story, method: str, path: str, *params: tuple[str, str]) -> None:
    """Do what another administrator does in Plex's own pages."""
    token = {"X-Plex-Token": life(story).file.values.get("PlexOnlineToken", "")}
    answer = await story.world.transport(http).request(method, path, params=params, headers=token)
    assert answer.status < 300


def ended(story: Story) -> list[tuple[str, Outcome, str]]:
    assert story.conclusion is not None
    return [(report.section.title, report.outcome, report.reason) for report in story.conclusion.reports]


def code(story: Story) -> ExitCode:
    assert story.conclusion is not None
    return story.conclusion.exit_code


def lost(story: Story) -> int:
    return [fact.counts.lost for fact in story.of(e.LibraryVerified) if fact.section is None][-1]


def test_a_section_that_was_deleted_before_its_turn_is_set_aside_at_once(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        await tell_plex(story, "DELETE", "/library/sections/2")

    story = play(FILMS, MUSIC, SERIES, state_dir=tmp_path, meanwhile=delete)
    assert ended(story) == [
        ("Films", Outcome.DONE, ""),
        ("Music", Outcome.SET_ASIDE, DELETED),
        ("Series", Outcome.DONE, ""),
    ]
    assert [fact.section.title for fact in story.of(e.SectionDeleted)] == ["Music"]
    assert [fact.section.id for fact in story.of(e.SectionPhaseStarted)] == [1, 1, 3, 3]
    assert code(story) is ExitCode.SET_ASIDE


@pytest.mark.parametrize("phase", [Phase.SCAN, Phase.ANALYZE, Phase.SONIC])
def test_a_section_that_is_deleted_while_it_is_worked_on_is_not_waited_for_nor_called_lost(tmp_path, phase):
    async def delete(story: Story) -> None:
        await story.until(e.SectionPhaseStarted, lambda fact: fact.phase is phase)
        await anyio.sleep(2 if phase is Phase.SCAN else 1)  # its scanner runs then
        await tell_plex(story, "DELETE", "/library/sections/1")

    story = play(
        MUSIC,
        FILMS,
        state_dir=tmp_path,
        meanwhile=delete,
        media=BLIND,
        plex=OURS,
        owned=True,
        undo=True,
        knobs=Knobs(scan_seconds=30.0),
    )
    assert ended(story) == [("Music", Outcome.SET_ASIDE, DELETED), ("Films", Outcome.DONE, "")]
    (deleted,) = story.of(e.SectionDeleted)
    began = story.at(e.SectionPhaseStarted, lambda fact: fact.phase is phase)
    assert story.at(e.SectionDeleted) - began < 12.0
    assert deleted.section.title == "Music"
    assert Outcome.FAILED not in [fact.report.outcome for fact in story.of(e.SectionPhaseFinished)]
    assert lost(story) == 0
    assert story.of(e.PrefsRestored)[-1].withheld == ()
    assert story.of(e.LibraryRevived, e.MonitorCrashed) == []
    assert code(story) is ExitCode.SET_ASIDE


def test_a_section_whose_many_entries_vanish_because_it_is_deleted_trips_no_guard(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.ScannersChanged, lambda fact: bool(fact.running))
        await anyio.sleep(1)
        await tell_plex(story, "DELETE", "/library/sections/1")

    story = play(MANY, state_dir=tmp_path, meanwhile=delete, media=BLIND, knobs=Knobs(scan_seconds=30.0))
    assert story.of(e.GuardTripped, e.GuardConfirmed) == []
    assert [fact.needless for fact in story.of(e.PlexThawed)] == [True] * len(story.of(e.PlexFrozen))
    assert ended(story) == [("Films", Outcome.SET_ASIDE, DELETED)]


def test_a_section_that_is_deleted_when_it_is_done_stays_done_and_is_told(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.SectionFinished)
        await tell_plex(story, "DELETE", "/library/sections/1")

    story = play(
        FILMS, MUSIC, state_dir=tmp_path, meanwhile=delete, plex=OURS, owned=True, undo=True, media=BLIND
    )
    assert [fact.section.title for fact in story.of(e.SectionDeleted)] == ["Films"]
    assert lost(story) == 0
    assert code(story) is ExitCode.DONE


def test_a_library_that_was_made_anew_has_lost_its_sections_whatever_plex_lists(tmp_path):
    """Only a library that has had a section can have it deleted; what a fault has replaced is no will of anybody."""

    async def replace_it(story: Story) -> None:
        await story.until(e.SectionFinished)
        await tell_plex(story, "DELETE", "/library/sections/1")
        conn = life(story).core.library.conn
        conn.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'library_sections'")

    story = play(FILMS, SERIES, state_dir=tmp_path, meanwhile=replace_it, media=BLIND)
    assert story.of(e.SectionDeleted) == []
    assert lost(story) == 20
    assert code(story) is ExitCode.LOSS


def test_a_location_that_is_put_right_in_plex_before_the_turn_of_its_section_is_the_one_that_counts(tmp_path):
    async def put_right(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        story.world.tree.add("/media/Here/Film (2001)/Film (2001).mkv")
        conn = life(story).core.library.conn
        conn.execute("UPDATE section_locations SET root_path = '/media/Here' WHERE library_section_id = 2")

    def misplace(story: Story) -> None:
        story.world.tree.remove_folder("/media/Others")

    others = Shelf("Others", SectionType.MOVIE)
    story = play(FILMS, others, state_dir=tmp_path, prepare=misplace, meanwhile=put_right)
    assert ended(story) == [("Films", Outcome.DONE, ""), ("Others", Outcome.DONE, "")]
    assert story.of(e.StatsCollected)[-1].statistics.live.movies == 26


def unlisted(story: Story, question: str, answer: Answer) -> Answer:
    """Leave section 2 out of the list once section 1 is worked on."""
    if question != "GET /library/sections" or not story.of(e.SectionPhaseStarted):
        return answer
    told = json.loads(answer.body)
    rows = told["MediaContainer"]["Directory"]
    told["MediaContainer"]["Directory"] = [row for row in rows if row["key"] != "2"]
    return replace(answer, body=json.dumps(told).encode())


def test_a_section_that_plex_only_forgets_to_list_is_done_like_the_others(tmp_path):
    story = play(FILMS, SERIES, state_dir=tmp_path, prepare=telling(unlisted))
    assert story.of(e.SectionDeleted) == []
    assert [outcome for _, outcome, _ in ended(story)] == [Outcome.DONE, Outcome.DONE]


def test_a_section_of_which_plex_knows_nothing_is_set_aside_but_vouched_for_while_the_library_has_it(
    tmp_path,
):
    def going(story: Story, question: str, answer: Answer) -> Answer:
        if question.endswith("/library/sections/2/refresh"):
            return Answer(404, "text/html", b"<html><body>404 Not Found</body></html>")
        return unlisted(story, question, answer)

    story = play(FILMS, SERIES, state_dir=tmp_path, prepare=telling(going))
    assert ended(story)[1] == ("Series", Outcome.SET_ASIDE, DELETED)
    assert story.of(e.SectionDeleted) == []


@pytest.mark.parametrize("when", [e.SectionPhaseStarted, e.SectionPhaseFinished, e.SectionFinished])
def test_a_token_that_is_revoked_is_told_once_and_costs_no_section(tmp_path, when):
    """Revoked in the middle of a phase, or between two of them, where all that follows would be refused at once."""

    def revoked(story: Story, question: str, answer: Answer) -> Answer:
        if question == "GET /identity" or not story.of(when):
            return answer
        return Answer(401, "text/html", b"<html><body><h1>401 Unauthorized</h1></body></html>")

    async def change_something(story: Story) -> None:
        await story.until(when)
        await anyio.sleep(1)
        story.bus.publish(e.PrefsChanged())  # whoever keeps Plex quiet looks at its settings then

    prepare, knobs = telling(revoked), Knobs(item_seconds=5.0)
    story = play(
        FILMS, SERIES, PHOTOS, state_dir=tmp_path, prepare=prepare, meanwhile=change_something, knobs=knobs
    )
    assert code(story) is ExitCode.SERVER
    assert len(story.of(e.PlexLost)) == 1
    assert story.of(e.MonitorCrashed) == []
    assert Outcome.SET_ASIDE not in [outcome for _, outcome, _ in ended(story)]
    assert Outcome.FAILED not in [fact.report.outcome for fact in story.of(e.SectionPhaseFinished)]


def test_a_server_that_answers_late_but_right_is_waited_for_and_everything_is_done(tmp_path):
    story = play(FILMS, MUSIC, state_dir=tmp_path, prepare=telling(seconds=20.0))
    assert code(story) is ExitCode.DONE
    assert story.of(e.PlexLost, e.MonitorCrashed) == []
    assert story.of(e.PrefsRestored)[-1].failed == ()


def test_a_scan_that_hangs_is_told_as_a_stall_although_plex_refuses_to_stop_it(tmp_path):
    def deaf(_: Story, question: str, answer: Answer) -> Answer:
        refused = Answer(403, "text/html", b"<html><body><h1>403 Forbidden</h1></body></html>")
        return refused if question.startswith("DELETE /library/sections") else answer

    async def hang(story: Story) -> None:
        story.probe.separate = True
        await story.until(e.ScannersChanged, lambda fact: bool(fact.running))
        await anyio.sleep(1)
        story.world.tree.hang()

    story = play(SERIES, state_dir=tmp_path, prepare=telling(deaf), meanwhile=hang, run={"retries": 0})
    assert [fact.report.outcome for fact in story.of(e.SectionPhaseFinished)] == [Outcome.STALLED]
    assert code(story) is ExitCode.SET_ASIDE
