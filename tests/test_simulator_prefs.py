"""The settings of a simulated server: ids, values, what is absent, and the file they are kept in."""

import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from plexsuper.errors import StateError
from plexsuper.simulator.identity import Account, PreferencesFile, processed_identifier
from plexsuper.simulator.memory import World
from plexsuper.simulator.prefs import catalogue
from tests.simulated import QUIET, as_json, ask, in_world, xml

PASS_ONLY = {
    "MusicAnalysisBehavior",
    "GenerateIntroMarkerBehavior",
    "GenerateCreditsMarkerBehavior",
    "GenerateAdMarkerBehavior",
    "GenerateVADBehavior",
    "MarkerSource",
}


async def ids(world: World) -> set[str | None]:
    return {setting.get("id") for setting in await xml(world, "/:/prefs", token=None)}


def test_a_server_without_a_pass_has_151_settings_and_one_with_a_pass_six_more() -> None:
    without = in_world(ids, account=Account(claimed=False))
    assert len(without) == 151
    assert not without & PASS_ONLY

    async def with_pass(world: World) -> set[str | None]:
        return {setting.get("id") for setting in await xml(world, "/:/prefs")}

    assert in_world(with_pass) - without == PASS_ONLY
    assert in_world(with_pass, account=Account(plex_pass=False)) == without


def test_every_default_is_a_value_of_its_own_setting() -> None:
    for setting in catalogue().values():
        value = setting.read(setting.default)
        choices = (
            [choice.partition(":")[0] for choice in setting.choices.split("|")] if setting.choices else []
        )
        assert not choices or str(value) in choices or value == ""


@pytest.mark.parametrize(
    ("name", "kind", "default"),
    [
        ("autoEmptyTrash", "bool", True),
        ("ScheduledLibraryUpdateInterval", "int", 3600),
        ("GenerateBIFBehavior", "text", "never"),
        ("GenerateChapterThumbBehavior", "text", "scheduled"),
        ("GenerateCreditsMarkerBehavior", "text", "asap"),
        ("MusicAnalysisBehavior", "text", "scheduled"),
        ("ButlerTaskDeepMediaAnalysis", "bool", True),
        ("enableLocalSecurity", "int", -1),
        ("TranscoderH264MinimumCRF", "double", 16.0),
    ],
)
def test_defaults_are_those_recorded(name: str, kind: str, default: object) -> None:
    async def story(world: World) -> None:
        (setting,) = (await as_json(world, "/:/prefs/get", ("id", name)))["Setting"]
        assert (setting["type"], setting["default"], setting["value"]) == (kind, default, default)

    in_world(story)


def test_a_change_is_kept_in_a_new_file_that_only_its_owner_reads() -> None:
    async def story(world: World) -> None:
        path = world.layout.preferences
        inode = path.stat().st_ino
        answer = await ask(world, "PUT", "/:/prefs", ("autoEmptyTrash", "0"), ("OnDeckWindow", "8"))
        assert (answer.status, answer.body) == (200, b"")
        assert path.stat().st_ino != inode
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        kept = ET.parse(path).getroot().attrib
        assert (kept["autoEmptyTrash"], kept["OnDeckWindow"]) == ("0", "8")
        (setting,) = await xml(world, "/:/prefs/get", ("id", "autoEmptyTrash"))
        assert (setting.get("value"), setting.get("default")) == ("0", "1")
        await ask(world, "PUT", "/:/prefs", ("autoEmptyTrash", "true"))
        assert "autoEmptyTrash" not in ET.parse(path).getroot().attrib

    in_world(story)


def test_an_unknown_setting_is_accepted_without_effect() -> None:
    async def story(world: World) -> None:
        answer = await ask(
            world, "PUT", "/:/prefs", ("GenerateChapterBehavior", "never"), ("OnDeckWindow", "3")
        )
        assert answer.status == 200
        assert (await ask(world, "GET", "/:/prefs/get", ("id", "GenerateChapterBehavior"))).status == 404
        (setting,) = await xml(world, "/:/prefs/get", ("id", "OnDeckWindow"))
        assert setting.get("value") == "3"

    in_world(story)


@pytest.mark.parametrize("status", [400, 403])
def test_an_unknown_setting_may_be_refused_with_all_that_came_with_it(status: int) -> None:
    async def story(world: World) -> None:
        answer = await ask(world, "PUT", "/:/prefs", ("AutoScan", "0"), ("OnDeckWindow", "3"))
        assert answer.status == status
        (setting,) = await xml(world, "/:/prefs/get", ("id", "OnDeckWindow"))
        assert setting.get("value") == "16"

    in_world(story, knobs=QUIET.but(unknown_preference=status))


def test_a_setting_of_a_pass_cannot_be_set_without_one() -> None:
    async def story(world: World) -> None:
        await ask(world, "PUT", "/:/prefs", ("MusicAnalysisBehavior", "never"))
        assert "MusicAnalysisBehavior" not in ET.parse(world.layout.preferences).getroot().attrib

    in_world(story, account=Account(plex_pass=False))


def test_a_value_of_the_wrong_type_is_refused() -> None:
    async def story(world: World) -> None:
        assert (await ask(world, "PUT", "/:/prefs", ("OnDeckWindow", "many"))).status == 400

    in_world(story)


def test_the_public_identity_is_a_hash_of_the_machine() -> None:
    assert processed_identifier("7814a184-28bf-461f-aed9-4d31d8fbf52e") == (
        "b7e4d463f7159de35eb563d8a980361ec8156ba5"
    )

    async def story(world: World) -> None:
        kept = PreferencesFile(world.layout.preferences).values
        identity = await xml(world, "/identity")
        assert identity.get("machineIdentifier") == processed_identifier(kept["MachineIdentifier"])

    in_world(story)


def test_the_token_of_a_claimed_server_is_in_the_file_before_the_first_answer() -> None:
    async def story(world: World) -> None:
        await world.server.until("maintenance")
        assert PreferencesFile(world.layout.preferences).values["PlexOnlineToken"] == Account().token

    in_world(story, ready=False)


@pytest.mark.parametrize(("after", "seen"), [(30.0, True), (-1.0, False)])
def test_the_token_may_come_late_or_never(after: float, seen: bool) -> None:
    async def story(world: World) -> None:
        assert "PlexOnlineToken" not in PreferencesFile(world.layout.preferences).values
        await world.clock.sleep(60)
        assert ("PlexOnlineToken" in PreferencesFile(world.layout.preferences).values) is seen
        assert (await xml(world, "/identity", token=None)).get("claimed") == ("1" if seen else "0")

    in_world(story, knobs=QUIET.but(token_after=after))


@pytest.mark.parametrize(
    ("claim", "answer", "said"),
    [
        ("claim-good", "granted", True),
        ("claim-good", "refused", False),
        ("nonsense", "granted", False),
    ],
)
def test_a_claim_happens_before_the_server_starts_or_fails_in_silence(
    claim: str, answer: str, said: bool
) -> None:
    async def story(world: World) -> None:
        start = world.console.index("Attempting to obtain server token from claim token")
        assert ("Token obtained successfully" in world.console) is said
        assert world.console.index("Starting Plex Media Server.") > start
        assert (await xml(world, "/identity", token=None)).get("claimed") == ("1" if said else "0")

    in_world(story, account=Account(claimed=False, claim=claim), knobs=QUIET.but(claim_answer=answer))


def test_a_file_that_was_broken_by_hand_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Preferences.xml"
    path.write_text("<Preferences")
    with pytest.raises(StateError, match=r"Preferences\.xml is not XML"):
        PreferencesFile(path)
