"""Proves where the files of a Plex server are looked for."""

from pathlib import Path

import pytest

from plexsuper.paths import PlexPaths, settings_files, state_dir, state_of


@pytest.mark.parametrize(
    "config_dir",
    [
        "/config",
        "/config/Library/Application Support",
        "/config/Library/Application Support/Plex Media Server",
    ],
)
def test_the_config_directory_may_be_named_at_any_of_its_levels(config_dir):
    paths = PlexPaths.below(Path(config_dir))
    root = Path("/config/Library/Application Support/Plex Media Server")
    assert paths.root == root
    assert paths.databases == root / "Plug-in Support/Databases"
    assert paths.library_db == root / "Plug-in Support/Databases/com.plexapp.plugins.library.db"
    assert paths.blobs_db == root / "Plug-in Support/Databases/com.plexapp.plugins.library.blobs.db"
    assert paths.preferences_xml == root / "Preferences.xml"
    assert paths.logs == root / "Logs"


def test_a_directory_right_above_the_servers_own_is_a_candidate_too():
    assert [paths.root for paths in PlexPaths.candidates(Path("/volume1/PlexMediaServer/AppData"))] == [
        Path("/volume1/PlexMediaServer/AppData/Library/Application Support/Plex Media Server"),
        Path("/volume1/PlexMediaServer/AppData/Plex Media Server"),
    ]


@pytest.mark.parametrize("below", ["Plex Media Server", "Library/Application Support/Plex Media Server"])
@pytest.mark.parametrize("file", ["Preferences.xml", "Plug-in Support/Databases/any.db"])
def test_of_the_candidates_the_one_that_a_server_has_used_is_found(tmp_path, below, file):
    used = tmp_path / below / file
    used.parent.mkdir(parents=True)
    used.touch()
    assert PlexPaths.found(tmp_path).root == tmp_path / below


def test_before_the_first_start_the_likeliest_directory_is_found(tmp_path):
    assert PlexPaths.found(tmp_path) == PlexPaths.below(tmp_path)


def test_settings_are_looked_for_here_then_in_the_xdg_directory_then_in_that_of_the_machine():
    assert settings_files({"XDG_CONFIG_HOME": "/x"}) == (
        Path("plexsuper.toml"),
        Path("/x/plexsuper/plexsuper.toml"),
        Path("/etc/plexsuper/plexsuper.toml"),
    )


def test_the_settings_of_the_machine_have_their_state_where_the_service_has_it(monkeypatch, tmp_path):
    assert state_of(Path("/etc/plexsuper/plexsuper.toml")) == Path("/var/lib/plexsuper")
    assert state_of(Path("/etc/plexsuper/other.toml")) is None
    monkeypatch.setattr("plexsuper.paths.MACHINE_SETTINGS", tmp_path / "plexsuper.toml")
    monkeypatch.chdir(tmp_path)
    assert state_of(Path("plexsuper.toml")) == Path("/var/lib/plexsuper")


def test_state_lies_in_the_xdg_directory():
    assert state_dir({"XDG_STATE_HOME": "/s"}) == Path("/s/plexsuper")
    assert state_dir({}) == Path.home() / ".local/state/plexsuper"
