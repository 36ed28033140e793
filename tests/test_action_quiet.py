"""Silencing Plex and putting everything back, against the embedded Plex in virtual time."""

import stat
import time
from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.actions.quiet import QUIET, restore, silence
from plexsuper.actions.sonic import silence_sonic, start_sonic, stop_sonic
from plexsuper.clients.plex import http
from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.ledger import Ledger
from plexsuper.errors import ServerAway, ServerError, StateError
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from tests.interposed import EMPTY, Interposed
from tests.simulated import QUIET as CALM
from tests.simulated import TOKEN, in_world

MUSIC = Shelf("Music", SectionType.ARTIST, known=40)


def plex_of(world: World) -> Plex:
    plex = Plex(world.transport(http))
    plex.token = SecretStr(TOKEN)
    return plex


async def silent(world: World, state_dir: Path) -> tuple[Plex, Ledger]:
    """Return a Plex that has been silenced, and what remembers how it was before."""
    plex, ledger = plex_of(world), Ledger(state_dir, "m")
    await silence(plex, ledger)
    return plex, ledger


async def values(plex: Plex) -> dict[str, str]:
    return {id_: preference.value for id_, preference in (await plex.preferences()).items()}


def make_deaf(world: World, deaf: Iterable[str]) -> None:
    """Let the server take these settings as it takes an unknown one: with a 200 and without effect."""
    assert world.server.life is not None
    preferences, ignored = world.server.life.core.preferences, set(deaf)
    really = preferences.change
    preferences.change = lambda given: really({k: v for k, v in given.items() if k not in ignored})  # type: ignore[method-assign, assignment]  # a fault in the server


@pytest.mark.lesson("L05")
def test_a_silent_plex_has_every_value_of_the_quiet_set_and_is_restored_exactly(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        before = await values(plex)
        quieted = await silence(plex, ledger)
        during = await values(plex)
        assert {id_: during[id_] for id_ in QUIET} == QUIET
        assert {id_: value for id_, value in during.items() if id_ not in QUIET} == {
            id_: value for id_, value in before.items() if id_ not in QUIET
        }
        assert quieted.absent == ()
        assert {change.id for change in quieted.changed} == {i for i in QUIET if before[i] != QUIET[i]}
        assert {
            (change.before, change.after) for change in quieted.changed if change.id == "autoEmptyTrash"
        } == {("1", "0")}
        restored = await restore(plex, ledger)
        assert await values(plex) == before
        assert (restored.kept, restored.failed) == ((), ())
        assert {change.id for change in restored.restored} == {change.id for change in quieted.changed}
        assert ledger.load() is None

    in_world(story)


def test_without_plex_pass_what_needs_it_is_absent_and_not_an_error(tmp_path):
    async def story(world: World) -> None:
        quieted = await silence(plex_of(world), Ledger(tmp_path, "m"))
        assert "GenerateCreditsMarkerBehavior" in quieted.absent
        assert "autoEmptyTrash" not in quieted.absent

    in_world(story, account=Account(plex_pass=False))


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("deaf", ["autoEmptyTrash", "ButlerTaskDeepMediaAnalysis", "watchMusicSections"])
def test_a_server_that_takes_a_value_without_effect_is_refused(tmp_path, deaf):
    async def story(world: World) -> None:
        plex = plex_of(world)
        await plex.set_preferences({deaf: "1"})
        make_deaf(world, [deaf])
        with pytest.raises(ServerError, match=f"did not take these settings: {deaf}. Nothing is scanned"):
            await silence(plex, Ledger(tmp_path, "m"))

    in_world(story)


def test_a_value_that_cannot_be_put_back_is_named_and_remembered(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        make_deaf(world, ["ButlerTaskBackupDatabase"])
        assert (await restore(plex, ledger)).failed == ("ButlerTaskBackupDatabase",)
        assert (ledger.load() or {})["ButlerTaskBackupDatabase"] == "1"

    in_world(story)


FEW = Answer(
    200,
    "application/json",
    b'{"MediaContainer":{"size":1,"Setting":[{"id":"LogVerbose","type":"bool","value":false}]}}',
)
"""Settings, without any of those that a run silences."""


def settings_fail(world: World, answer: Answer, *numbers: int) -> Plex:
    """A client to whom the question for the settings is answered with *answer* the *numbers*th time."""
    plex = Plex(Interposed(world, "GET /:/prefs", answer, numbers))
    plex.token = SecretStr(TOKEN)
    return plex


@pytest.mark.lesson("L01")
def test_a_server_that_lists_no_settings_is_not_believed_to_be_silent(tmp_path):
    async def story(world: World) -> None:
        with pytest.raises(ServerError, match="did not take these settings: autoEmptyTrash, "):
            await silence(settings_fail(world, FEW, 2), Ledger(tmp_path, "few"))
        began = anyio.current_time()
        await silence(settings_fail(world, EMPTY, 1, 2), Ledger(tmp_path, "empty"))
        assert anyio.current_time() - began == pytest.approx(2.0)  # asked again, once a second

    in_world(story)


@pytest.mark.lesson("L01")
def test_a_server_that_lists_no_settings_has_not_taken_them_back(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        before = await values(plex)
        await silence(plex, ledger)
        with pytest.raises(ServerAway, match="Plex lists no settings at all"):
            await restore(settings_fail(world, EMPTY, 1), ledger)
        assert (await restore(settings_fail(world, FEW, 1), ledger)).failed == ("autoEmptyTrash",)
        assert (ledger.load() or {})["autoEmptyTrash"] == "1"
        assert (await restore(plex, ledger)).failed == ()
        assert await values(plex) == before

    in_world(story)


def test_only_values_that_are_still_ours_are_restored(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        await plex.set_preferences({"GenerateBIFBehavior": "asap"})
        await silence(plex, ledger)
        await plex.set_preferences({"GenerateBIFBehavior": "scheduled"})  # somebody at Plex's own settings
        restored = await restore(plex, ledger)
        assert restored.kept == ("GenerateBIFBehavior",)
        after = await values(plex)
        assert (after["GenerateBIFBehavior"], after["autoEmptyTrash"]) == ("scheduled", "1")

    in_world(story)


def test_what_a_killed_run_left_silent_counts_as_the_users_own_value(tmp_path):
    async def story(world: World) -> None:
        plex = plex_of(world)
        before = await values(plex)
        await silence(plex, Ledger(tmp_path, "m"))  # and then it was killed
        again = await silence(plex, Ledger(tmp_path, "m"))
        assert again.changed == ()
        await restore(plex, Ledger(tmp_path, "m"))
        assert await values(plex) == before

    in_world(story)


def test_what_was_changed_by_hand_after_a_killed_run_is_the_users_new_value(tmp_path):
    async def story(world: World) -> None:
        plex = plex_of(world)
        await silence(plex, Ledger(tmp_path, "m"))
        await plex.set_preferences({"GenerateBIFBehavior": "asap"})
        await silence(plex, Ledger(tmp_path, "m"))
        await restore(plex, Ledger(tmp_path, "m"))
        assert (await values(plex))["GenerateBIFBehavior"] == "asap"

    in_world(story)


@pytest.mark.lesson("L22")
def test_sonic_analysis_may_run_only_while_it_is_asked_for(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        await plex.set_preferences({"MusicAnalysisBehavior": "asap"})
        await silence(plex, ledger)
        await start_sonic(plex)
        await anyio.sleep(2)
        assert (await values(plex))["MusicAnalysisBehavior"] == "scheduled"
        await stop_sonic(plex)
        assert (await values(plex))["MusicAnalysisBehavior"] == "never"
        assert world.truth.of("butler.ended", task="MusicAnalysis")[0]["outcome"] == "cancelled"
        await silence_sonic(plex)
        await restore(plex, ledger)
        assert (await values(plex))["MusicAnalysisBehavior"] == "asap"

    in_world(story, MUSIC)


def test_a_run_killed_during_sonic_analysis_is_restored_too(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        await plex.set_preferences({"MusicAnalysisBehavior": "asap"})
        await silence(plex, ledger)
        await start_sonic(plex)
        assert (await restore(plex, ledger)).kept == ()
        assert (await values(plex))["MusicAnalysisBehavior"] == "asap"

    in_world(story, MUSIC)


@pytest.mark.lesson("L22")
def test_running_work_of_the_butler_is_stopped_and_named(tmp_path):
    async def story(world: World) -> None:
        plex = plex_of(world)
        await plex.start_butler("MusicAnalysis")
        await anyio.sleep(2)
        quieted = await silence(plex, Ledger(tmp_path, "m"))
        assert quieted.butler_stopped != ()
        await anyio.sleep(1)
        assert world.truth.of("butler.ended", task="MusicAnalysis")[0]["outcome"] == "cancelled"

    in_world(story, MUSIC, knobs=CALM)


def butler_fails(world: World, status: int, numbers: Iterable[int]) -> tuple[Plex, Interposed]:
    """A client to whom the order to stop the butler is answered with *status* the *numbers*th times."""
    answer = Answer(status, "text/html", b"not now")
    line = Interposed(world, "DELETE /butler", answer, [*numbers])
    plex = Plex(line)
    plex.token = SecretStr(TOKEN)
    return plex, line


@pytest.mark.lesson("L05")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_butler_that_is_not_stopped_for_a_while_is_asked_again_each_second(tmp_path, status):
    async def story(world: World) -> None:
        plex, line = butler_fails(world, status, range(1, 20))
        began = anyio.current_time()
        quieted = await silence(plex, Ledger(tmp_path, "m"))
        assert (line.asked, quieted.butler_stopped) == (20, ())
        assert anyio.current_time() - began == pytest.approx(19.0, abs=0.5)

    in_world(story, knobs=CALM)


@pytest.mark.lesson("L05", "L22")
@pytest.mark.parametrize(("status", "asked"), [(429, 31), (500, 31), (503, 31), (403, 1)])
def test_nothing_is_scanned_beside_a_butler_that_works_and_is_never_stopped(tmp_path, status, asked):
    async def story(world: World) -> None:
        plex, line = butler_fails(world, status, range(1, 1000))
        await plex.start_butler("MusicAnalysis")
        await anyio.sleep(2)
        began = anyio.current_time()
        with pytest.raises(ServerError, match=f"DELETE /butler: Plex answered {status}: not now"):
            await silence(plex, Ledger(tmp_path, "m"))
        assert line.asked == asked
        assert anyio.current_time() - began < 32

    in_world(story, MUSIC, knobs=CALM)


@pytest.mark.lesson("L05")
@pytest.mark.parametrize("status", [404, 500])
def test_a_butler_that_runs_nothing_may_refuse_to_be_stopped(tmp_path, status):
    async def story(world: World) -> None:
        plex, _ = butler_fails(world, status, range(1, 1000))
        quieted = await silence(plex, Ledger(tmp_path, "m"))
        assert quieted.butler_stopped == ()
        during = await values(plex)
        assert {id_: during[id_] for id_ in QUIET} == QUIET

    in_world(story, knobs=CALM)


def test_the_ledger_is_on_disk_before_anything_is_changed(tmp_path):
    async def story(world: World) -> None:
        (tmp_path / "preferences-m.tmp").mkdir()
        with pytest.raises(
            StateError, match=r"cannot be written \(Is a directory\); nothing was changed in Plex"
        ):
            await silence(plex_of(world), Ledger(tmp_path, "m"))
        assert world.truth.of("preferences.changed") == []

    in_world(story)


def test_a_ledger_keeps_values_by_server_for_its_owner_only(tmp_path):
    one, other = Ledger(tmp_path / "state", "one"), Ledger(tmp_path / "state", "other")
    one.save({"autoEmptyTrash": "1"})
    assert (one.load(), other.load()) == ({"autoEmptyTrash": "1"}, None)
    (file,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one.clear()
    one.clear()
    assert one.load() is None


def test_a_ledger_remembers_since_when_plex_is_silent_until_everything_is_undone(tmp_path):
    ledger = Ledger(tmp_path, "m")
    assert ledger.since is None
    began = int(time.time())
    ledger.save({"autoEmptyTrash": "1"})
    since = ledger.since
    assert since is not None
    assert since >= began
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace(str(since), "1700000000"))
    Ledger(tmp_path, "m").save({"autoEmptyTrash": "0"})
    assert (ledger.since, ledger.load()) == (1700000000, {"autoEmptyTrash": "0"})
    ledger.clear()
    assert ledger.since is None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="of an older version"),
        pytest.param(', "plexsuper.since": "99999999999"', id="of a clock that was wrong"),
    ],
)
def test_of_such_a_ledger_nobody_knows_since_when(tmp_path, more):
    ledger = Ledger(tmp_path, "m")
    ledger.save({})
    (file,) = tmp_path.iterdir()
    file.write_text('{"autoEmptyTrash": "1"' + more + "}")
    assert (ledger.since, ledger.load()) == (0, {"autoEmptyTrash": "1"})


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"'])
def test_a_ledger_that_cannot_be_read_is_an_error_and_never_nothing_to_undo(tmp_path, text):
    ledger = Ledger(tmp_path, "m")
    ledger.save({})
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    with pytest.raises(StateError, match="restore Plex's settings by hand, then delete it"):
        ledger.load()
