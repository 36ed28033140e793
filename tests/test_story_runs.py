"""Whole runs as a user has them: everything goes well, or there is less to do than usual."""

from itertools import pairwise

import pytest

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase, SectionDefinition, Verdict
from tests.story import Story, life, play

FILMS = Shelf("Films", SectionType.MOVIE, known=20, new=5)
SERIES = Shelf("Series", SectionType.SHOW, known=10, new=12)
MUSIC = Shelf("Music", SectionType.ARTIST, known=20, new=5)
PHOTOS = Shelf("Photos", SectionType.PHOTO, known=10, new=4)


def phases(story: Story) -> list[tuple[str, Phase, Outcome]]:
    """Return every phase that ended, in order."""
    ended = story.of(e.SectionPhaseFinished)
    return [(fact.section.title, fact.report.phase, fact.report.outcome) for fact in ended]


def overlaps(story: Story) -> list[tuple[str, str]]:
    """Return the neighbours among the sections' real scans and analyses that ran at the same time."""
    spans = sorted(
        (work.start, work.end, title)
        for title, section in story.world.sections.items()
        for work in story.world.truth.busy("scan", "analysis", section=section)
    )
    return [(a[2], b[2]) for a, b in pairwise(spans) if b[0] < a[1] and a[2] != b[2]]


@pytest.mark.lesson("L05", "L07", "L27")
def test_a_whole_run_drives_every_section_and_leaves_plex_as_it_was(tmp_path):
    story = play(FILMS, SERIES, MUSIC, PHOTOS, state_dir=tmp_path)
    assert story.conclusion is not None
    assert (story.conclusion.verdict, story.conclusion.exit_code) == (Verdict.DONE, ExitCode.DONE)
    assert phases(story) == [
        ("Films", Phase.SCAN, Outcome.DONE),
        ("Films", Phase.ANALYZE, Outcome.DONE),
        ("Series", Phase.SCAN, Outcome.DONE),
        ("Series", Phase.ANALYZE, Outcome.DONE),
        ("Music", Phase.SCAN, Outcome.DONE),
        ("Music", Phase.ANALYZE, Outcome.DONE),
        ("Music", Phase.SONIC, Outcome.DONE),
        ("Photos", Phase.SCAN, Outcome.DONE),
        ("Photos", Phase.ANALYZE, Outcome.DONE),
    ]
    assert overlaps(story) == []
    before, after = story.of(e.StatsCollected)
    assert (before.statistics.live.movies, after.statistics.live.movies) == (20, 25)
    assert (before.statistics.live.episodes, after.statistics.live.episodes) == (10, 22)
    assert (after.statistics.live.tracks, after.statistics.live.sonic) == (25, 25)
    assert (before.statistics.live.photos, after.statistics.live.photos) == (10, 14)
    assert after.reliable
    assert [s.analyzed for s in after.statistics.sections] == [s.media for s in after.statistics.sections]


@pytest.mark.lesson("L05")
def test_the_preferences_are_silent_during_the_scans_and_exactly_as_before_afterwards(tmp_path):
    seen: dict[str, object] = {}

    async def look(story: Story) -> None:
        await story.world.server.until("starting")
        seen["before"] = dict(life(story).file.values)
        seen["default"] = life(story).core.preferences.text("autoEmptyTrash")
        await story.until(e.SectionPhaseStarted)
        seen["during"] = life(story).core.preferences.text("autoEmptyTrash")
        await story.until(e.PrefsRestored)
        seen["after"] = dict(life(story).file.values)

    story = play(FILMS, state_dir=tmp_path, meanwhile=look)
    assert seen["during"] != seen["default"]
    assert seen["after"] == seen["before"]
    (restored,) = story.of(e.PrefsRestored)
    assert (restored.kept, restored.failed) == ((), ())
    assert list(tmp_path.glob("preferences-*")) == []


@pytest.mark.lesson("L27", "L37")
@pytest.mark.parametrize(
    ("shelves", "wanted", "done"),
    [
        ((FILMS, SERIES), (), ["Films", "Films", "Series", "Series"]),
        ((FILMS, MUSIC, PHOTOS), ("Photos",), ["Photos", "Photos"]),
        ((FILMS, MUSIC), ("2", "Films"), ["Music", "Music", "Music", "Films", "Films"]),
        ((MUSIC,), (), ["Music", "Music", "Music"]),
    ],
    ids=["no music, no photos", "one by name", "by id, in the given order", "music alone"],
)
def test_any_subset_of_sections_ends_with_a_complete_summary(tmp_path, shelves, wanted, done):
    story = play(*shelves, state_dir=tmp_path, run={"sections": wanted})
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    assert [title for title, _, _ in phases(story)] == done
    assert [report.section.title for report in story.conclusion.reports] == list(dict.fromkeys(done))
    assert len(story.of(e.StatsCollected)) == 2


@pytest.mark.lesson("L27")
def test_an_empty_server_ends_with_a_complete_summary(tmp_path):
    async def fill(story: Story) -> None:
        story.world.tree.add("/media/Films/readme.txt")

    story = play(state_dir=tmp_path, meanwhile=fill)
    assert story.conclusion is not None
    assert (story.conclusion.exit_code, story.conclusion.reports) == (ExitCode.DONE, ())
    assert len(story.of(e.StatsCollected)) == 2


@pytest.mark.lesson("F03")
def test_without_plex_pass_sonic_is_skipped_and_the_run_is_done(tmp_path):
    story = play(MUSIC, state_dir=tmp_path, account=Account(plex_pass=False))
    assert phases(story)[-1] == ("Music", Phase.SONIC, Outcome.SKIPPED)
    assert "Plex Pass" in story.of(e.SectionPhaseFinished)[-1].report.note
    assert story.world.truth.of("request", path="/butler/MusicAnalysis") == []
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


def test_an_unclaimed_server_needs_no_token(tmp_path):
    story = play(FILMS, state_dir=tmp_path, account=Account(claimed=False, plex_pass=False))
    assert [fact.source for fact in story.of(e.TokenFound)] == ["none needed: the server is unclaimed"]
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.lesson("L18", "L23")
@pytest.mark.parametrize("obeys", [False, True])
def test_sonic_is_the_butler_task_never_forced_whether_or_not_never_would_block_it(tmp_path, obeys):
    story = play(MUSIC, state_dir=tmp_path, knobs=Knobs(sonic_obeys_behaviour=obeys), run={"refresh": True})
    order = [phase for _, phase, _ in phases(story)]
    assert order == [Phase.SCAN, Phase.ANALYZE, Phase.REFRESH, Phase.SONIC]
    assert len(story.world.truth.of("request", path="/butler/MusicAnalysis", method="POST")) == 1
    forced = [
        entry for entry in story.world.truth.of("request") if ["force", "1"] in map(list, entry["query"])
    ]
    assert len(forced) <= 1  # the refresh the user asked for
    assert story.of(e.StatsCollected)[-1].statistics.live.sonic == 25


def test_sonic_progress_is_seen_also_where_it_does_not_move_the_change_number(tmp_path):
    story = play(MUSIC, state_dir=tmp_path, knobs=Knobs(sonic_bumps=False))
    assert phases(story)[-1] == ("Music", Phase.SONIC, Outcome.DONE)
    assert story.of(e.StatsCollected)[-1].statistics.live.sonic == 25


def test_sections_of_a_definitions_file_are_created_once_on_a_fresh_server(tmp_path):
    films = SectionDefinition(
        title="Films",
        type=SectionType.MOVIE,
        agent="tv.plex.agents.movie",
        scanner="Plex Movie",
        language="en-US",
        paths=("/media/Films",),
    )

    async def shelve(story: Story) -> None:
        for number in range(7):
            story.world.tree.add(f"/media/Films/Film {number} (2001)/Film {number} (2001).mkv")

    story = play(state_dir=tmp_path, definitions=(films,), knobs=Knobs(starting_seconds=40), meanwhile=shelve)
    assert [fact.section.title for fact in story.of(e.SectionCreated)] == ["Films"]
    assert story.of(e.StatsCollected)[-1].statistics.live.movies == 7
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


def test_a_section_that_exists_is_not_created_again(tmp_path):
    definition = SectionDefinition(
        title="Films", type=SectionType.MOVIE, agent="a", scanner="s", language="en", paths=("/media/Films",)
    )
    story = play(FILMS, state_dir=tmp_path, definitions=(definition,))
    assert story.of(e.SectionCreated) == []
    assert len(story.of(e.SectionsChosen)[0].sections) == 1


def test_an_unknown_section_ends_the_run_with_the_nearest_name_and_restores(tmp_path):
    story = play(FILMS, state_dir=tmp_path, run={"sections": ("Filns",)})
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.USAGE
    assert "did you mean 'Films'?" in story.conclusion.detail
    assert len(story.of(e.PrefsRestored)) == 1


@pytest.mark.lesson("L43")
def test_a_section_whose_location_is_not_there_is_set_aside_and_not_scanned(tmp_path):
    lost = Shelf("Lost", SectionType.MOVIE, known=3, root="/elsewhere/Lost")

    async def take_away(story: Story) -> None:
        story.world.tree.remove_folder("/elsewhere/Lost")

    story = play(lost, FILMS, state_dir=tmp_path, meanwhile=take_away)
    assert phases(story)[0] == ("Lost", Phase.SCAN, Outcome.SET_ASIDE)
    assert story.world.truth.of("scan.started", section=story.world.sections["Lost"]) == []
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    assert "/elsewhere/Lost" in story.conclusion.reports[0].reason
    assert story.conclusion.reports[1].outcome is Outcome.DONE


def test_a_dry_run_changes_nothing(tmp_path):
    story = play(FILMS, state_dir=tmp_path, run={"dry_run": True})
    assert story.conclusion is not None
    assert story.conclusion.verdict is Verdict.PLANNED
    assert story.world.truth.of("request") == []
    assert story.world.truth.of("scan") == []
    (planned,) = story.of(e.RunPlanned)
    assert "take Films through: scan, analysis" in planned.steps
    assert [fact.stage for fact in story.of(e.StageStarted)] == ["preflight", "inputs", "database"]


def test_a_dry_run_tells_a_mistyped_section_with_the_nearest_title(tmp_path):
    story = play(FILMS, state_dir=tmp_path, run={"dry_run": True, "sections": ("Flims",)})
    assert story.conclusion is not None
    assert (story.conclusion.verdict, story.conclusion.exit_code) == (Verdict.SETTINGS, ExitCode.USAGE)
    assert "did you mean 'Films'?" in story.conclusion.detail
    assert story.of(e.RunPlanned) == []


def test_a_quick_run_scans_and_does_nothing_else(tmp_path):
    story = play(FILMS, MUSIC, state_dir=tmp_path, run={"quick": True})
    assert phases(story) == [("Films", Phase.SCAN, Outcome.DONE), ("Music", Phase.SCAN, Outcome.DONE)]


@pytest.mark.lesson("F02")
@pytest.mark.parametrize("deep", [False, True])
def test_a_deep_run_asks_plex_to_look_into_every_folder(tmp_path, deep):
    story = play(FILMS, state_dir=tmp_path, run={"deep": deep})
    (scan,) = story.world.truth.of("scan.started")
    assert scan["force"] is deep
