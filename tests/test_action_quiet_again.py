"""What somebody switches on in Plex while a run goes on is silent again, is told, and comes back as he wants it."""

from collections.abc import Mapping

import anyio
import pytest
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.actions.quiet import QUIET, restore, silence
from plexsuper.actions.quiet_again import QUIET_BUT_SONIC, silence_again
from plexsuper.actions.sonic import start_sonic, stop_sonic
from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.ledger import Ledger
from plexsuper.errors import ExitCode, ServerError
from plexsuper.faces import words
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World
from plexsuper.terms import Phase, PrefChange
from tests.interposed import Line
from tests.simulated import QUIET as CALM
from tests.simulated import TOKEN, in_world
from tests.story import Story, life, play
from tests.test_action_quiet import MUSIC, butler_fails, make_deaf, plex_of, settings_fail, silent, values
from tests.test_story_runs import FILMS, SERIES

LOUD = {id_: "1" if value == "0" else "asap" for id_, value in QUIET.items()}


class Noting(Line):
    """Notes what is asked."""

    def __init__(self, world: World, asked: list[str]) -> None:
        super().__init__(world)
        self._asked = asked

    def changed(self, question: str, answer: Answer) -> Answer:
        self._asked.append(question)
        return answer


def noting(world: World, asked: list[str]) -> Plex:
    plex = Plex(Noting(world, asked))
    plex.token = SecretStr(TOKEN)
    return plex


async def silenced_again(plex: Plex, ledger: Ledger) -> e.PrefsQuietedAgain:
    """Silence a Plex in which something is not silent any more."""
    again = await silence_again(plex, ledger)
    assert again is not None
    return again


def told(again: e.PrefsQuietedAgain | None) -> dict[str, tuple[str, str]]:
    return {} if again is None else {change.id: (change.before, change.after) for change in again.changed}


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("before", ["0", "1"])
def test_automatic_emptying_that_somebody_switches_on_is_off_again_and_comes_back_as_he_wants_it(
    tmp_path, before
):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        await plex.set_preferences({"autoEmptyTrash": before})
        await silence(plex, ledger)
        assert await silence_again(plex, ledger) is None
        await plex.set_preferences({"autoEmptyTrash": "1"})
        again = await silenced_again(plex, ledger)
        assert [(c.id, c.before, c.after) for c in again.changed] == [("autoEmptyTrash", "1", "0")]
        assert (await values(plex))["autoEmptyTrash"] == "0"
        await restore(plex, ledger)
        assert (await values(plex))["autoEmptyTrash"] == "1"

    in_world(story, knobs=CALM)


def test_automatic_emptying_that_cannot_be_switched_off_again_is_an_error(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.set_preferences({"autoEmptyTrash": "1"})
        make_deaf(world, ["autoEmptyTrash"])
        with pytest.raises(ServerError, match="Somebody switched autoEmptyTrash on"):
            await silence_again(plex, ledger)

    in_world(story, knobs=CALM)


def test_everything_that_must_be_silent_is_silent_again_and_comes_back_as_it_was_chosen(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.set_preferences(LOUD)
        assert told(await silence_again(plex, ledger)) == {id_: (LOUD[id_], QUIET[id_]) for id_ in QUIET}
        now = await values(plex)
        assert {id_: now[id_] for id_ in QUIET} == QUIET
        assert await silence_again(plex, ledger) is None
        assert (await restore(plex, ledger)).kept == ()
        now = await values(plex)
        assert {id_: now[id_] for id_ in QUIET} == LOUD

    in_world(story, knobs=CALM)


def test_what_nobody_changed_comes_back_as_it_was_before_the_run_whatever_else_was_changed(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = plex_of(world), Ledger(tmp_path, "m")
        before = await values(plex)
        await silence(plex, ledger)
        await plex.set_preferences({"ScheduledLibraryUpdatesEnabled": "1"})
        assert told(await silence_again(plex, ledger)) == {"ScheduledLibraryUpdatesEnabled": ("1", "0")}
        await restore(plex, ledger)
        assert await values(plex) == before | {"ScheduledLibraryUpdatesEnabled": "1"}

    in_world(story, knobs=CALM)


def test_a_plex_that_is_silent_still_is_asked_once_and_told_nothing(tmp_path):
    async def story(world: World) -> None:
        _, ledger = await silent(world, tmp_path)
        asked: list[str] = []
        assert await silence_again(noting(world, asked), ledger) is None
        assert asked == ["GET /:/prefs"]

    in_world(story, knobs=CALM)


def test_a_setting_that_plex_does_not_take_again_is_told_and_stops_nothing_but_the_trash_would(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.set_preferences({"watchMusicSections": "1", "GenerateBIFBehavior": "asap"})
        make_deaf(world, ["watchMusicSections"])
        again = await silenced_again(plex, ledger)
        assert (told(again), again.failed) == (
            {"GenerateBIFBehavior": ("asap", "never")},
            ("watchMusicSections",),
        )

    in_world(story, knobs=CALM)


def test_what_the_butler_has_begun_meanwhile_is_stopped(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.set_preferences({"MusicAnalysisBehavior": "asap"})
        await plex.start_butler("MusicAnalysis")
        await anyio.sleep(1)
        again = await silenced_again(plex, ledger)
        assert again.butler_stopped == ("MusicAnalysis",)
        await anyio.sleep(1)
        assert world.truth.of("butler.ended", task="MusicAnalysis")[0]["outcome"] == "cancelled"

    in_world(story, MUSIC, knobs=CALM)


def test_a_butler_that_refuses_to_be_stopped_keeps_nothing_from_being_silent_and_told(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.start_butler("MusicAnalysis")
        await plex.set_preferences({"GenerateBIFBehavior": "asap"})
        await anyio.sleep(1)
        deaf, _ = butler_fails(world, 403, range(1, 9))
        again = await silenced_again(deaf, ledger)
        assert (told(again), again.butler_stopped) == ({"GenerateBIFBehavior": ("asap", "never")}, ())

    in_world(story, MUSIC, knobs=CALM)


@pytest.mark.lesson("L18", "L22")
def test_the_sonic_analysis_that_we_have_asked_for_is_left_alone_and_the_choice_for_later_kept(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await start_sonic(plex)
        await anyio.sleep(1)
        assert await silence_again(plex, ledger, QUIET_BUT_SONIC) is None
        await plex.set_preferences({"MusicAnalysisBehavior": "asap", "GenerateBIFBehavior": "asap"})
        again = await silence_again(plex, ledger, QUIET_BUT_SONIC)
        assert told(again) == {
            "MusicAnalysisBehavior": ("asap", "scheduled"),
            "GenerateBIFBehavior": ("asap", "never"),
        }
        await anyio.sleep(1)
        assert world.truth.of("butler.ended") == []  # it goes on
        await stop_sonic(plex)
        await restore(plex, ledger)
        assert (await values(plex))["MusicAnalysisBehavior"] == "asap"

    in_world(story, MUSIC, knobs=CALM)


BUSY = Answer(503, "text/html", b"not now")


def test_what_took_is_told_also_when_plex_is_away_before_it_can_be_read_again(tmp_path):
    async def story(world: World) -> None:
        plex, ledger = await silent(world, tmp_path)
        await plex.set_preferences({"GenerateBIFBehavior": "asap"})
        again = await silence_again(settings_fail(world, BUSY, 2, 3), ledger)
        assert told(again) == {"GenerateBIFBehavior": ("asap", "never")}

    in_world(story, knobs=CALM)


def change(story: Story, wanted: Mapping[str, str], *, tell: bool) -> None:
    life(story).core.preferences.change(wanted)
    if tell:
        story.bus.publish(e.PrefsChanged())


SCANS = {"ScheduledLibraryUpdatesEnabled": "1", "ButlerTaskDeepMediaAnalysis": "1"}
AGAIN = tuple(PrefChange(id=id_, before="1", after="0") for id_ in SCANS)


@pytest.mark.lesson("L05", "L22")
@pytest.mark.parametrize(("tell", "within"), [(True, 1.0), (False, 16.0)], ids=["told", "not told"])
def test_background_work_that_somebody_switches_on_in_a_phase_is_off_again_soon(tmp_path, tell, within):
    at: list[float] = []

    async def meddle(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        await anyio.sleep(2)
        at.append(anyio.current_time())
        change(story, SCANS, tell=tell)

    knobs = Knobs(scan_seconds=40.0)
    story = play(FILMS, state_dir=tmp_path, meanwhile=meddle, knobs=knobs)
    (again,) = story.of(e.PrefsQuietedAgain)
    assert set(again.changed) == set(AGAIN)
    assert story.at(e.PrefsQuietedAgain) - at[0] <= within
    assert {c.id: c.after for c in story.of(e.PrefsRestored)[-1].restored} | SCANS == {
        c.id: c.after for c in story.of(e.PrefsRestored)[-1].restored
    }
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


def test_background_work_that_was_switched_on_between_two_sections_is_off_before_the_next_scan(tmp_path):
    async def meddle(story: Story) -> None:
        await story.until(e.SectionFinished)
        change(story, SCANS, tell=False)

    story = play(FILMS, SERIES, state_dir=tmp_path, meanwhile=meddle)
    (again,) = story.of(e.PrefsQuietedAgain)
    assert set(again.changed) == set(AGAIN)
    scans = [fact.section.title for fact in story.of(e.SectionPhaseStarted) if fact.phase is Phase.SCAN]
    assert scans == ["Films", "Series"]
    before = story.facts[: story.facts.index(again)]
    assert {fact.section.title for fact in before if isinstance(fact, e.SectionPhaseStarted)} == {"Films"}


def test_with_a_tool_that_sets_a_setting_again_and_again_nobody_quarrels_for_ever(tmp_path):
    async def meddle(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        while True:
            await anyio.sleep(1)
            change(story, {"watchMusicSections": "1"}, tell=True)

    story = play(FILMS, state_dir=tmp_path, meanwhile=meddle, knobs=Knobs(scan_seconds=100.0))
    phases = len(story.of(e.SectionPhaseStarted))
    assert phases <= len(story.of(e.PrefsQuietedAgain)) <= 4 * phases
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


AT_THE_END = (
    "somebody changed ScheduledLibraryUpdatesEnabled in Plex during the run: "
    "silenced again, and put back at the end as he wants it"
)
NOT_TAKEN = (
    "somebody changed watchMusicSections in Plex during the run, and Plex does not take it back: NOT silent; "
    "stopped DeepMediaAnalysis"
)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            e.PrefsQuietedAgain(changed=AGAIN[:1]),
            AT_THE_END,
        ),
        (
            e.PrefsQuietedAgain(
                changed=(), failed=("watchMusicSections",), butler_stopped=("DeepMediaAnalysis",)
            ),
            NOT_TAKEN,
        ),
    ],
)
def test_what_is_silenced_again_is_told_in_plain_words(event, sentence):
    assert words.sentence(event) == sentence
