"""A run that begins where another one was cut off: nothing is emptied until what that one may have done is proved."""

from pathlib import Path

import pytest

from plexsuper import events as e
from plexsuper.clients.server.ledger import Ledger
from plexsuper.terms import Outcome, Stage, Verdict
from tests.simulated import FILMS
from tests.story import Story, life, play


def silenced(state_dir: Path, story: Story) -> None:
    """Leave Plex as a run leaves it that is killed while it is silent."""
    server = life(story)
    Ledger(state_dir, server.file.values["ProcessedMachineIdentifier"]).save({"autoEmptyTrash": "1"})
    server.core.preferences.change({"autoEmptyTrash": "0"})


@pytest.mark.lesson("L40")
def test_a_run_that_ends_before_it_has_looked_at_the_sections_leaves_the_trash_of_a_killed_one_alone(
    tmp_path,
):
    async def interrupt(story: Story) -> None:
        await story.until(e.PlexReady)
        silenced(tmp_path, story)
        await story.until(e.PrefsQuieted)
        story.bus.publish(e.RunInterrupted(signal="SIGINT"))

    story = play(FILMS, state_dir=tmp_path, meanwhile=interrupt)
    assert story.conclusion is not None
    assert story.conclusion.verdict is Verdict.INTERRUPTED
    catalogue = [fact.outcome for fact in story.of(e.StageFinished) if fact.stage is Stage.CATALOGUE]
    assert catalogue in ([], [Outcome.CANCELLED])
    (restored,) = story.of(e.PrefsRestored)
    assert restored.withheld == ("autoEmptyTrash",)
    (ledger,) = tmp_path.glob("preferences-*.json")
    assert '"autoEmptyTrash": "1"' in ledger.read_text()


def test_a_run_that_finds_nothing_in_the_trash_gives_everything_back(tmp_path):
    async def before(story: Story) -> None:
        await story.until(e.PlexReady)
        silenced(tmp_path, story)

    story = play(FILMS, state_dir=tmp_path, meanwhile=before)
    (restored,) = story.of(e.PrefsRestored)
    assert restored.withheld == ()
    assert ("autoEmptyTrash", "1") in {(change.id, change.after) for change in restored.restored}
    assert list(tmp_path.glob("preferences-*.json")) == []
