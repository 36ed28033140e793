"""Proves what a dry run says a run would do."""

from dataclasses import replace

import pytest

from plexsuper.decisions.course import Agenda
from plexsuper.decisions.planned import Outset, planned_steps
from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.terms import Section, SectionDefinition

FILMS = Section(id=4, title="Films", type=SectionType.MOVIE)
MUSIC = SectionDefinition(
    title="Music", type=SectionType.ARTIST, agent="a", scanner="s", language="en", paths=("/media/M", "/m2")
)
OUTSET = Outset(
    agenda=Agenda(),
    deep=False,
    media="/media",
    url="http://127.0.0.1:32400",
    command="",
    claims=False,
    sections=(FILMS,),
    definitions=(MUSIC,),
    wanted=(),
)


def test_a_plan_names_every_step_of_a_run():
    assert planned_steps(replace(OUTSET, command="plex --now", claims=True)) == (
        "prove by content that the media storage /media is there",
        "attach to Plex at http://127.0.0.1:32400, or start it with: plex --now",
        "claim the server, if it is not claimed yet",
        "silence Plex's background work, and prove that its settings took",
        "create section Music (artist) for /media/M, /m2",
        "take Films through: scan, analysis",
        "take Music through: scan, analysis, sonic analysis (if the server has Plex Pass)",
        "count the library again",
        "put every setting of Plex back as it was",
        "stop Plex again if it was started for the run",
    )


def through(outset: Outset) -> list[str]:
    return [step for step in planned_steps(outset) if step.startswith("take ")]


def test_a_server_that_is_only_attached_to_is_neither_started_nor_stopped_nor_claimed():
    steps = planned_steps(OUTSET)
    assert steps[1] == "attach to Plex at http://127.0.0.1:32400"
    assert steps[-1] == "put every setting of Plex back as it was"
    assert not any("claim" in step for step in steps)


@pytest.mark.parametrize(
    ("agenda", "deep", "way"),
    [
        (Agenda(scan_only=True), False, "scan"),
        (Agenda(), True, "deep scan, analysis, sonic analysis (if the server has Plex Pass)"),
        (Agenda(sonic=False, refresh=True), False, "scan, analysis, metadata refresh"),
    ],
)
def test_the_phases_are_those_that_are_wanted(agenda, deep, way):
    music = replace(FILMS, title="Music", type=SectionType.ARTIST)
    outset = replace(OUTSET, agenda=agenda, deep=deep, sections=(music,), definitions=())
    assert through(outset) == [f"take Music through: {way}"]


def test_only_the_wanted_sections_are_driven_but_every_missing_one_is_created():
    steps = planned_steps(replace(OUTSET, wanted=("Films",)))
    assert "create section Music (artist) for /media/M, /m2" in steps
    assert through(replace(OUTSET, wanted=("Films",))) == ["take Films through: scan, analysis"]


def test_a_section_that_exists_is_not_created():
    steps = planned_steps(replace(OUTSET, definitions=(replace(MUSIC, title="Films"),)))
    assert not any(step.startswith("create") for step in steps)


def test_without_a_library_database_the_plan_says_what_depends_on_the_server():
    unseen = replace(OUTSET, sections=None)
    assert "create section Music (artist) for /media/M, /m2, if there is none yet" in planned_steps(unseen)
    assert through(unseen) == [
        (
            "take every section of the server through: scan, analysis; "
            "music also: sonic analysis (if the server has Plex Pass)"
        )
    ]
    named = replace(unseen, wanted=("Any", "2"), agenda=Agenda(scan_only=True))
    assert through(named) == ["take Any, 2 through: scan"]


def test_an_unknown_section_is_told_with_the_nearest_that_is_there_or_would_be_created():
    with pytest.raises(SettingsError, match="did you mean 'Music'"):
        planned_steps(replace(OUTSET, wanted=("Musik",)))
