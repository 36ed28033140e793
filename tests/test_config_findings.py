"""Proves that everything that is wrong with the settings is told at once, each with place, key, reason and remedy."""

import os
from pathlib import Path
from typing import Any

import pytest

from plexsuper.config import WrongSettings, load_settings
from plexsuper.config.findings import nearest_key
from tests.written_settings import ENOUGH, TOKEN, alone, load, write, wrong


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


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
        "plexsuper.toml:7: plex.runtime: 'dokcer' is not one of local, docker; did you mean docker?",
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


def test_what_stands_twice_in_a_file_is_said_in_plain_words():
    assert wrong('[plex]\nurl = "http://a"\nurl = "http://b"\n') == [
        "plexsuper.toml: is not TOML: a key or a table stands there twice (at line 3, column 17)"
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:99999", " (Port out of range 0-65535)"),
        ("http://[::1", " (Invalid IPv6 URL)"),
        ("http://me:a-secret@℀.example", ""),  # what Python says of it quotes the password
        ("ftp://plex", ""),
    ],
)
def test_an_address_that_is_none_is_refused_with_an_example(url, why):
    text = f'[plex]\nconfig_dir = "/plex"\nurl = "{url}"\n[media]\npath = "/media"\n'
    assert wrong(text) == [
        f"plexsuper.toml:3: plex.url: must be the server's address, such as http://127.0.0.1:32400{why}"
    ]


@pytest.mark.parametrize("token", [f"{TOKEN[:8]} {TOKEN[8:]}", f"{TOKEN[:8]}\n{TOKEN[8:]}", f"{TOKEN}é", " "])
def test_what_cannot_be_a_token_is_refused_and_not_shown(monkeypatch, token):
    monkeypatch.setenv("PLEX_TOKEN", token)
    assert wrong(ENOUGH) == [
        "PLEX_TOKEN: plex.token: is not a token: it is empty, or has blanks or other signs that no token has"
    ]


def test_blanks_that_were_copied_with_a_token_are_no_part_of_it(monkeypatch):
    monkeypatch.setenv("PLEX_TOKEN", f" {TOKEN}\n")
    settings = load()
    assert settings.plex.token is not None
    assert settings.plex.token.get_secret_value() == TOKEN
    assert settings.secrets() == (TOKEN,)


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
            f'{ENOUGH}[metrics]\ntextfile = "/var/lib/plexsuper.txt"\n',
            {},
            (
                "plexsuper.toml:6: metrics.textfile: ends with .txt: node_exporter only reads files whose names end "
                "with .prom"
            ),
        ),
        (
            f'{ENOUGH}[metrics]\ntextfile = "/media/plexsuper.prom"\n',
            {},
            (
                "plexsuper.toml:6: metrics.textfile: lies inside media.path (/media): the file of the metrics would be on "
                "the storage that can fail; choose a directory on a local disk"
            ),
        ),
        (
            f'{ENOUGH}[library]\nexport = "/var/backups/library.zip"\n',
            {},
            "plexsuper.toml:6: library.export: ends with .zip: an archive is written as .tar.zst or .tar.gz",
        ),
        (
            f'{ENOUGH}[library]\nexport = "/media/library.tar.zst"\n',
            {},
            (
                "plexsuper.toml:6: library.export: lies inside media.path (/media): the library of the whole run would be on "
                "the storage that can fail; choose a directory on a local disk"
            ),
        ),
        (
            '[plex]\ntoken = "t"\n[media]\npath = "/media"\n[library]\nexport = "/var/backups/library.tar.zst"\n',
            {},
            (
                "plexsuper.toml:6: plex.config_dir: is not set, and library.archive and library.export are about the databases "
                "in it; set plex.config_dir to Plex's directory, or leave them out"
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
