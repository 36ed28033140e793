"""Proves where settings come from and what they become."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from plexsuper.config import PlexSettings, Settings, Timing, load_settings
from plexsuper.config.place import find_state_dir
from plexsuper.kinds import SectionType
from plexsuper.profiles import PROFILES
from tests.written_settings import ENOUGH, TOKEN, alone, load, write, wrong


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


# --- where a value comes from ------------------------------------------------------------------------


def test_each_source_is_stronger_than_the_one_below_it(monkeypatch):
    assert load().timing.interval == 60.0  # the default profile
    assert load(f'profile = "cloud_intensive"\n{ENOUGH}').timing.interval == 120.0
    text = f'profile = "cloud_intensive"\n{ENOUGH}[timing]\ninterval = 7\n[run]\nretries = 5\n[events]\nformat = "text"\n'
    assert load(text).timing.interval == 7.0
    monkeypatch.setenv("PLEXSUPER_TIMING__INTERVAL", "8s")
    monkeypatch.setenv("PLEXSUPER_EVENTS__FORMAT", "auto")
    settings = load(text, events__format="jsonl", profile="cloud_standard")
    assert settings.timing.interval == 8.0
    assert settings.timing.threshold == 15
    assert settings.timing.cap == 86_400.0
    assert settings.run.retries == 5
    assert settings.events.format == "jsonl"


def test_the_file_here_is_taken_before_the_one_in_the_xdg_directory_and_config_before_both():
    write(ENOUGH + "[run]\nretries = 7\n", "xdg/plexsuper/plexsuper.toml")
    assert load_settings().run.retries == 7
    assert load(ENOUGH + "[run]\nretries = 8\n").run.retries == 8
    other = write(ENOUGH + "[run]\nretries = 9\n", "other.toml")
    settings = load_settings(file=other)
    assert (settings.run.retries, settings.file) == (9, other)


def test_without_another_the_settings_of_the_machine_count_and_everybody_finds_the_state_of_the_service(
    tmp_path,
):
    file = write(ENOUGH, "machine/plexsuper.toml")
    for settings in (load_settings(), load_settings(file=file)):
        assert settings.file is not None
        assert settings.file.absolute() == file.absolute()
        assert settings.state_dir == tmp_path / "machine/state"
    assert find_state_dir() == find_state_dir(file) == tmp_path / "machine/state"
    write(f'state_dir = "/fast/state"\n{ENOUGH}', "machine/plexsuper.toml")
    assert load_settings().state_dir == find_state_dir() == Path("/fast/state")
    write(ENOUGH, "xdg/plexsuper/plexsuper.toml")
    assert find_state_dir() == tmp_path / "state/plexsuper"


def test_a_run_without_any_file_works_from_the_environment_alone(monkeypatch):
    monkeypatch.setenv("PLEX_TOKEN", TOKEN)
    monkeypatch.setenv("PLEXSUPER_MEDIA__PATH", "/media")
    settings = load_settings()
    assert settings.file is None
    assert settings.plex.token == SecretStr(TOKEN)
    assert settings.plex.paths is None


def test_the_environment_has_lists_commands_and_single_budgets(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_RUN__SECTIONS", "Movies, TV Shows")
    monkeypatch.setenv("PLEXSUPER_PLEX__COMMAND", "'/usr/lib/Plex Media Server' --flag")
    monkeypatch.setenv("PLEXSUPER_TIMING__BUDGETS__PHOTO", "6h")
    monkeypatch.setenv("PLEXSUPER_RUN__SONIC", "false")
    settings = load()
    assert settings.run.sections == ("Movies", "TV Shows")
    assert settings.plex.command == ("/usr/lib/Plex Media Server", "--flag")
    assert settings.timing.budgets[SectionType.PHOTO] == 21_600.0
    assert settings.timing.budgets[SectionType.MOVIE] == 3_600.0
    assert settings.run.sonic is False


def test_a_section_name_with_a_comma_can_be_given_as_json(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_RUN__SECTIONS", '["Movies, old", "2"]')
    assert load().run.sections == ("Movies, old", "2")


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("PLEX_CLAIM", "")
    monkeypatch.setenv("PLEXSUPER_PROFILE", "")
    assert load().plex.claim is None
    assert load().profile == "local_delta"


def test_the_long_name_of_a_secret_is_stronger_than_the_short_one(monkeypatch):
    monkeypatch.setenv("PLEX_TOKEN", "short-name-token")
    assert load().plex.token == SecretStr("short-name-token")
    monkeypatch.setenv("PLEXSUPER_PLEX__TOKEN", TOKEN)
    assert load().plex.token == SecretStr(TOKEN)


def test_variables_that_kubernetes_and_plexsuper_itself_set_are_no_settings(monkeypatch):
    for name in (
        "DEBUG",
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_80_TCP",
        "PORT_80_TCP_ADDR",
    ):
        monkeypatch.setenv(f"PLEXSUPER_{name}", "1")
    assert load().profile == "local_delta"


# --- what the values become --------------------------------------------------------------------------


def test_paths_of_a_file_begin_where_the_file_is_and_others_where_we_are(tmp_path, monkeypatch):
    file = write(
        '[plex]\nconfig_dir = "plex"\n[media]\npath = "../media"\n[run]\ndefinitions = "l.json"\n',
        "etc/plexsuper.toml",
    )
    write('[{"title": "A", "type": "movie", "paths": ["/a"]}]', "etc/l.json")
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", "here")
    monkeypatch.setenv("HOME", "/home/me")
    settings = load_settings(file=file)
    assert settings.plex.config_dir == tmp_path / "etc/plex"
    assert settings.media.path == tmp_path / "media"
    assert settings.run.definitions == tmp_path / "etc/l.json"
    assert settings.state_dir == tmp_path / "here"
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", "~/state")
    assert load_settings(file=file).state_dir == Path("/home/me/state")


def test_a_config_directory_of_a_nas_package_is_recognised(tmp_path):
    (tmp_path / "AppData/Plex Media Server/Plug-in Support/Databases").mkdir(parents=True)
    settings = load('[plex]\nconfig_dir = "AppData"\n[media]\npath = "/media"\n')
    assert settings.plex.paths is not None
    assert settings.plex.paths.root == tmp_path / "AppData/Plex Media Server"


def test_the_state_directory_is_the_xdg_one_unless_it_is_set(tmp_path):
    assert load().state_dir == tmp_path / "state/plexsuper"


@pytest.mark.lesson("L12")
@pytest.mark.parametrize("name", PROFILES)
def test_the_stall_time_of_the_settings_is_that_of_the_profile(name):
    settings = load(profile=name)
    assert settings.timing.stall_after == PROFILES[name].stall_after
    assert settings.public()["timing"]["stall_after"] == PROFILES[name].stall_after  # type: ignore[index]  # a plain dict


@pytest.mark.lesson("L12")
def test_the_stall_time_follows_from_what_was_overridden():
    timing = load(f"{ENOUGH}[timing]\ninterval = 20\nthreshold = 4\n").timing
    assert timing.stall_after == 80.0
    assert timing.count_every <= 20.0


@pytest.mark.lesson("L04")
def test_a_budget_is_never_longer_than_the_cap():
    timing = load(f'{ENOUGH}[timing]\ncap = "2h"\n').timing
    assert timing.budget(SectionType.PHOTO) == 7_200.0
    assert timing.budget(SectionType.SHOW) == 3_600.0


@pytest.mark.lesson("L11")
def test_quick_scans_only_at_the_pace_of_local_quick_and_keeps_the_patience_of_the_profile():
    settings = load(profile="cloud_intensive", run__quick=True)
    assert (settings.timing.interval, settings.timing.threshold, settings.timing.stall_after) == (
        30.0,
        5,
        150.0,
    )
    assert (settings.timing.cap, settings.timing.ready_patience) == (259_200.0, 3_600.0)
    assert (settings.run.analyze, settings.run.sonic_wanted) == (False, False)
    plain = load()
    assert (plain.run.analyze, plain.run.sonic_wanted) == (True, True)


def test_a_number_that_was_set_is_stronger_than_the_pace_of_quick(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_RUN__QUICK", "yes")
    assert load(f"{ENOUGH}[timing]\nthreshold = 6\n").timing.stall_after == 180.0


def test_settings_made_by_hand_have_the_numbers_of_their_profile_too():
    settings = Settings(profile="cloud_standard", plex=PlexSettings(), run={"quick": False})
    assert (settings.timing.stall_after, settings.media.patience) == (900.0, 3_600.0)
    assert Settings(timing=Timing(interval=1, threshold=2)).timing.stall_after == 2.0


def test_settings_cannot_be_changed():
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.profile = "local_quick"  # type: ignore[misc]  # that is what is tried
    with pytest.raises(ValidationError, match="frozen"):
        settings.run.deep = True  # type: ignore[misc]  # that is what is tried


# --- secrets -----------------------------------------------------------------------------------------


@pytest.mark.lesson("F05")
def test_no_secret_is_in_what_may_be_shown(monkeypatch):
    monkeypatch.setenv("PLEX_TOKEN", TOKEN)
    monkeypatch.setenv("PLEX_CLAIM", "claim-zyxwvutsrq")
    settings = load(ENOUGH)
    monkeypatch.setenv("PLEXSUPER_PLEX__COMMAND", f"start --token {TOKEN} --claim=claim-zyxwvutsrq")
    shown = json.dumps(load().public()) + repr(settings) + str(settings)
    assert TOKEN not in shown
    assert "zyxwvutsrq" not in shown
    assert settings.public()["plex"]["token"] == "set"  # type: ignore[index]  # a plain dict
    assert set(settings.secrets()) == {TOKEN, "claim-zyxwvutsrq"}


@pytest.mark.lesson("F05")
def test_a_wrong_secret_is_reported_without_its_value(monkeypatch):
    monkeypatch.setenv("PLEX_CLAIM", "wrong-zyxwvutsrq")
    assert wrong(f'{ENOUGH}\n[run]\nsonic = "maybe"') == [
        "PLEX_CLAIM: plex.claim: is not a claim token: those begin with claim-, and are valid for four minutes",
        "plexsuper.toml:7: run.sonic: must be true or false, not 'maybe'",
    ]


@pytest.mark.lesson("F05")
def test_an_address_with_a_token_is_refused_without_showing_it():
    (finding,) = wrong(f"{ENOUGH}".replace("[plex]", f'[plex]\nurl = "http://h:1/?X-Plex-Token={TOKEN}"'))
    assert finding == (
        "plexsuper.toml:2: plex.url: must be an address alone; the token belongs into plex.token or PLEX_TOKEN"
    )


def test_a_secret_in_a_file_that_others_may_read_is_remembered(tmp_path):
    file = write(f'[plex]\ntoken = "{TOKEN}"\n[media]\npath = "/media"\n')
    file.chmod(0o644)
    assert load_settings().exposed_secrets == ("plex.token",)
    file.chmod(0o600)
    assert load_settings().exposed_secrets == ()
