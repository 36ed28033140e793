"""Proves where settings come from, what they become, and that everything wrong with them is told at once."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from plexsuper.config import PlexSettings, Settings, Timing, WrongSettings, load_settings
from plexsuper.config.describe import entries, settings_file, settings_page
from plexsuper.config.file import key_lines, read_settings_file
from plexsuper.config.findings import KEYS, nearest_key
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "tok-abcdefghijklmnop"


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Work in an empty directory, with an environment that says nothing about plexsuper."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith(("PLEXSUPER_", "PLEX_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


ENOUGH = '[plex]\nconfig_dir = "/plex"\n[media]\npath = "/media"\n'


def write(text: str, path: str = "plexsuper.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def load(text: str = ENOUGH, **flags: Any) -> Settings:
    write(text)
    return load_settings(flags={tuple(name.split("__")): value for name, value in flags.items()})


def wrong(text: str = "", **flags: Any) -> list[str]:
    """Return the findings as `place: key: reason; hint` lines."""
    with pytest.raises(WrongSettings) as caught:
        load(text, **flags)
    assert caught.value.exit_code is ExitCode.USAGE
    return [str(finding) for finding in caught.value.findings]


# --- where a value comes from -----------------------------------------------------------------------


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


# --- what the values become -------------------------------------------------------------------------


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


# --- secrets ----------------------------------------------------------------------------------------


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


# --- what is wrong ----------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once_with_place_key_reason_and_nearest_name(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_PROFIL", "x")
    monkeypatch.setenv("PLEXSUPER_MEDA__PATH", "/x")
    monkeypatch.setenv("PLEXSUPER_TIMING__CAP", "soon")
    monkeypatch.setenv("PLEXSUPER_EVENTS", "jsonl")
    text = """\
profile = "cloud_standart"
interval = 3

[plex]
ulr = "http://x"
url = "plex.local"
runtime = "dokcer"

[run]
quick = "maybe"
retries = -1
sections = 5
definitions = "nix.json"

[timing]
stall_after = 3
threshold = 2.5
quiet_window = 40
budgets.phto = 3

[evnts]
format = "x"
"""
    assert wrong(text, run__deep=True, run__refresh=True) == [
        "PLEXSUPER_PROFIL: profil: unknown key; did you mean PLEXSUPER_PROFILE?",
        "PLEXSUPER_MEDA__PATH: meda.path: unknown key; did you mean PLEXSUPER_MEDIA__PATH?",
        (
            "plexsuper.toml:1: profile: 'cloud_standart' is not one of local_quick, local_delta, cloud_standard, "
            "cloud_intensive; did you mean cloud_standard?"
        ),
        "plexsuper.toml:7: plex.runtime: 'dokcer' is not one of local",
        "plexsuper.toml:6: plex.url: must be the server's address, such as http://127.0.0.1:32400",
        "plexsuper.toml:5: plex.ulr: unknown key; did you mean plex.url?",
        "plexsuper.toml:12: run.sections: must be a list, not 5",
        "plexsuper.toml:10: run.quick: must be true or false, not 'maybe'",
        "plexsuper.toml:11: run.retries: must be greater than or equal to 0, not -1",
        "plexsuper.toml:17: timing.threshold: must be a whole number, not 2.5",
        "PLEXSUPER_TIMING__CAP: timing.cap: 'soon' is not a duration; write seconds (90) or a text such as 90s, 15m or 1h30m",
        "plexsuper.toml:19: timing.budgets.phto: unknown key; did you mean timing.budgets.photo?",
        "plexsuper.toml:16: timing.stall_after: is computed; set timing.threshold and timing.interval: it is their product",
        "PLEXSUPER_EVENTS: events: must be a table, not 'jsonl'",
        "plexsuper.toml:2: interval: unknown key; did you mean timing.interval?",
        "plexsuper.toml:21: evnts: unknown key; did you mean events?",
        (
            "plex.config_dir: is not set, and there is no token either; set plex.config_dir to Plex's directory (progress and "
            "token are read there), or give PLEX_TOKEN"
        ),
        (
            "media.path: is not set; no section is scanned before its storage is proved by content: name the media's directory "
            "or mount point"
        ),
        "plexsuper.toml:18: timing.quiet_window: 40 s is longer than timing.quiet_window_max (20 s)",
        f"plexsuper.toml:13: run.definitions: {Path.cwd()}/nix.json: cannot be read: No such file or directory",
    ]


def test_the_message_counts_what_is_wrong_and_says_what_to_do():
    with pytest.raises(WrongSettings) as caught:
        load(ENOUGH + "[rnu]\n")
    assert str(caught.value) == (
        "One thing is wrong with the settings; nothing was started:\n\n"
        "  plexsuper.toml:5: rnu: unknown key; did you mean run?\n\n"
        "Correct that and try again. `plexsuper init` writes a commented settings file."
    )


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("profil", "profile"),
        ("plex_url", "plex.url"),
        ("plex.ulr", "plex.url"),
        ("interval", "timing.interval"),
        ("run.threshold", "timing.threshold"),
        ("timing.budget.photo", "timing.budgets.photo"),
        ("timing.budgets.foto", "timing.budgets.photo"),
        ("budgets.photo", "timing.budgets.photo"),
        ("medya", "media"),
        ("utterly.different", ""),
    ],
)
def test_the_nearest_key_is_in_the_same_table_or_the_right_name_elsewhere(key, meant):
    assert ".".join(nearest_key(tuple(key.split(".")))) == meant


@pytest.mark.lesson("L35")
def test_paths_that_are_needed_and_missing_are_named_before_anything_uses_them():
    assert [finding.split(";")[0] for finding in wrong("")] == [
        "plex.config_dir: is not set, and there is no token either",
        "media.path: is not set",
    ]


def test_a_file_that_is_no_toml_is_told_with_its_line_and_hides_no_other_finding(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_TIMING__CAP", "soon")
    first, second = wrong('[plex]\nurl = "x\n')
    assert first.startswith("plexsuper.toml: is not TOML: ")
    assert "line 2" in first
    assert second.startswith("PLEXSUPER_TIMING__CAP: timing.cap: 'soon' is not a duration")


def test_a_config_file_that_is_not_there_is_named():
    with pytest.raises(WrongSettings, match=r"nix\.toml: cannot be read: No such file or directory"):
        load_settings(file=Path("nix.toml"))


def test_a_wrong_value_is_charged_to_the_source_that_counts(monkeypatch):
    monkeypatch.setenv("PLEXSUPER_EVENTS__FORMAT", "yaml")
    assert wrong(ENOUGH + '[events]\nformat = "xml"\n') == [
        "PLEXSUPER_EVENTS__FORMAT: events.format: 'yaml' is not one of auto, jsonl, text"
    ]
    assert wrong(ENOUGH, events__format="jsonlines") == [
        "--events: events.format: 'jsonlines' is not one of auto, jsonl, text; did you mean jsonl?"
    ]


@pytest.mark.parametrize(
    ("text", "flags", "finding"),
    [
        (
            '[plex]\ncommand = "plex"\n[media]\npath = "/m"\n',
            {"plex__token": TOKEN},
            (
                "plexsuper.toml:2: plex.config_dir: is not set, but plex.command is to start the server; "
                "set plex.config_dir to the directory of the server that the command starts"
            ),
        ),
        (
            '[plex]\nconfig_dir = "/m/plex"\n[media]\npath = "/m"\n',
            {},
            (
                "plexsuper.toml:2: plex.config_dir: lies inside media.path (/m): Plex's database would be on the storage that "
                "can fail; choose a directory on a local disk"
            ),
        ),
        (
            f'state_dir = "/media/state"\n{ENOUGH}',
            {},
            (
                "plexsuper.toml:1: state_dir: lies inside media.path (/media): plexsuper's record of the run would be on the "
                "storage that can fail; choose a directory on a local disk"
            ),
        ),
        (
            ENOUGH,
            {"run__quick": True, "run__deep": True},
            (
                "--quick: run.quick: quick and deep contradict each other: a deep walk is the longest scan there is; "
                "leave one of them out"
            ),
        ),
        (
            f"{ENOUGH}[run]\nrefresh = true\n",
            {"run__quick": True},
            "--quick: run.quick: quick only scans: metadata would not be refreshed; leave one of them out",
        ),
        (
            ENOUGH,
            {"run__sections": ["A", "B", "A"]},
            "--section: run.sections: names A more than once",
        ),
        (
            f"{ENOUGH}deadline = 901\n",
            {},
            "plexsuper.toml:5: media.deadline: one probe may not take longer than the storage may be lost (media.patience)",
        ),
        (
            f"{ENOUGH}[timing]\ntoken_every = 121\n",
            {},
            "plexsuper.toml:6: timing.token_every: 121 s is longer than timing.token_patience (2 min)",
        ),
        (
            f"{ENOUGH}[timing]\npoll_every = 31\n",
            {},
            "plexsuper.toml:6: timing.poll_every: 31 s is longer than timing.unseen_patience (30 s)",
        ),
        (
            f"{ENOUGH}[timing]\ninterval = 2\n",
            {},
            (
                "plexsuper.toml:6: timing.quiet_window_max: 20 s is not shorter than the stall time of 20 s (10 x 2 s): work "
                "would be called stalled before anyone looked"
            ),
        ),
        (
            f"{ENOUGH}[timing]\ncap = 599\n",
            {},
            "plexsuper.toml:6: timing.cap: 599 s is shorter than the stall time of 10 min",
        ),
    ],
)
def test_impossible_combinations_are_refused(text, flags, finding):
    assert wrong(text, **flags) == [finding]


def test_a_combination_with_a_wrong_value_in_it_is_not_reported_twice():
    assert len(wrong(f'{ENOUGH}[timing]\nquiet_window = 40\nquiet_window_max = "x"\n')) == 1


def test_what_is_wrong_in_the_definitions_file_is_among_the_findings():
    write('[{"title": "A", "type": "moovie", "paths": ["/a"]}]', "l.json")
    assert wrong(f'{ENOUGH}[run]\ndefinitions = "l.json"\n') == [
        f"plexsuper.toml:6: run.definitions: {Path.cwd()}/l.json: section 1 (A): unknown type 'moovie'; did you mean 'movie'?"
    ]


def test_the_media_path_is_never_touched(monkeypatch):
    """A path below a dead mount must not be asked for anything: only its text is used."""
    seen: list[str] = []

    def watched(real: Any) -> Any:
        def watch(path: Any, *more: Any, **how: Any) -> Any:
            seen.append(str(path))
            return real(path, *more, **how)

        return watch

    for name in ("stat", "lstat", "open", "scandir", "readlink", "access"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    settings = load()
    monkeypatch.undo()
    assert settings.media.path == Path("/media")
    assert seen  # the settings file was looked at
    assert not [path for path in seen if path.startswith("/media")]


# --- the file, its lines, and the texts made from the model -----------------------------------------


def test_every_key_of_a_file_is_found_on_its_line():
    text = """\
a = 1
# b = 2
[plex] # comment
url = "x"
text = '''
inside = 1
[not.a.table]
'''
"quoted key" = 2
deep.er = 3

[ timing . budgets ]
photo = 4
"""
    assert key_lines(text) == {
        ("a",): 1,
        ("plex",): 3,
        ("plex", "url"): 4,
        ("plex", "text"): 5,
        ("plex", "quoted key"): 9,
        ("plex", "deep", "er"): 10,
        ("timing", "budgets"): 12,
        ("timing", "budgets", "photo"): 13,
    }


def test_a_file_that_is_not_text_is_told(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    assert read_settings_file(path).problem == "cannot be read: it is not UTF-8 text"


def test_the_written_file_changes_nothing():
    write(settings_file())
    assert tomllib.loads(settings_file()) == {
        "plex": {},
        "media": {},
        "run": {},
        "timing": {"budgets": {}},
        "events": {},
    }


def test_the_written_file_explains_every_setting_and_all_its_lines_are_right(tmp_path):
    lines = settings_file().splitlines()
    live = [line.removeprefix("# ") if " = " in line and line.startswith("# ") else line for line in lines]
    write('[{"title": "A", "type": "movie", "paths": ["/a"]}]', "plex_libraries.json")
    settings = load("\n".join(live))
    for key in KEYS:
        assert f"# {key[-1]} = " in settings_file()
    assert settings.profile == "local_delta"
    assert settings.timing == load().timing
    assert settings.media.path == Path("/mnt/media")
    assert settings.run.sections == ("Movies", "Music")


def test_every_setting_has_a_meaning_and_a_variable_that_sets_it(monkeypatch):
    for entry in entries():
        assert entry.meaning, entry.key
        assert entry.variables[0] == "PLEXSUPER_" + "__".join(entry.key).upper()


def test_the_page_of_the_documentation_is_up_to_date():
    page = ROOT / "docs" / "settings.md"
    assert page.read_text() == settings_page(), "python -m plexsuper.config.describe > docs/settings.md"
