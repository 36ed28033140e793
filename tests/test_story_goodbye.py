"""Whole runs at whose end Plex is slow: it gets the time to take its settings back, unless somebody waits for the end."""

from functools import partial

import anyio
import pytest

from plexsuper import events as e
from plexsuper.simulator.messages import Request, Response
from plexsuper.terms import Stage, Verdict
from tests.simulated import FILMS
from tests.story import Story, play


def slow_down(story: Story, seconds: float) -> None:
    """Let the server take *seconds* for every answer from now on, as one that is busy with its database does."""
    server, really = story.world.server, story.world.server.handle

    async def late(request: Request) -> Response:
        await anyio.sleep(seconds)
        return await really(request)

    server.handle = late  # type: ignore[method-assign]  # a fault in the server


async def slow_at_the_end(story: Story, *, seconds: float, interrupt: bool) -> None:
    if interrupt:
        await story.until(e.SectionPhaseStarted)
        story.bus.publish(e.RunInterrupted(signal="SIGINT"))
    await story.until(e.StageStarted, lambda fact: fact.stage is Stage.RESTORE)
    slow_down(story, seconds)


@pytest.mark.lesson("L05")
def test_a_busy_plex_gets_the_time_to_take_its_settings_back(tmp_path):
    story = play(FILMS, state_dir=tmp_path, meanwhile=partial(slow_at_the_end, seconds=6.0, interrupt=False))
    assert story.conclusion is not None
    assert story.conclusion.verdict is Verdict.DONE
    (restored,) = story.of(e.PrefsRestored)
    assert restored.failed == ()
    assert {change.after for change in restored.restored if change.id == "autoEmptyTrash"} == {"1"}


def test_somebody_who_interrupts_a_run_does_not_wait_for_a_busy_plex(tmp_path):
    story = play(FILMS, state_dir=tmp_path, meanwhile=partial(slow_at_the_end, seconds=6.0, interrupt=True))
    assert story.conclusion is not None
    assert story.conclusion.verdict is Verdict.INTERRUPTED
    (restore,) = [fact for fact in story.of(e.StageFinished) if fact.stage is Stage.RESTORE]
    assert restore.seconds == pytest.approx(10.0, abs=0.5)
    assert "Plex did not answer, so its settings are still silenced. Start plexsuper again" in restore.detail
