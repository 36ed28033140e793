"""Proves what a container is made of, and by what it is known again."""

import json

import pytest

from plexsuper.clients.docker.answers import measured_from, scanners_of
from plexsuper.clients.docker.spec import ContainerSpec, differences
from plexsuper.clients.docker.wish import container_spec, on_host
from plexsuper.config import Settings
from plexsuper.errors import SettingsError
from plexsuper.terms import Scanner, ScannerKind


def spec(**changes: object) -> ContainerSpec:
    values: dict[str, object] = {
        "name": "plex",
        "image": "plexinc/pms-docker",
        "config_dir": "/srv/config",
        "media": "/srv/media/library",
        "media_target": "/data/library",
    }
    return ContainerSpec(**(values | changes))  # type: ignore[arg-type]  # test data


def test_of_a_mount_the_directory_above_is_bound_as_a_slave():
    assert spec().creation(claim=False)["HostConfig"]["Mounts"][1] == {
        "Type": "bind",
        "Source": "/srv/media",
        "Target": "/data",
        "BindOptions": {"Propagation": "rslave"},
    }


def test_a_directory_that_is_never_mounted_anew_is_bound_itself():
    mounts = spec(remountable=False, media="/films", media_target="/data/films").creation(claim=False)[
        "HostConfig"
    ]["Mounts"]
    assert mounts[1] == {"Type": "bind", "Source": "/films", "Target": "/data/films"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"media_target": "/data/other"}, "its last name must be the same"),
        ({"media": "/library"}, "mount the media one level deeper"),
        ({"media_target": "/library"}, "mount the media one level deeper"),
    ],
)
def test_what_could_not_show_a_later_mount_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        spec(**changes)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (
            "plexinc/pms-docker:latest",
            {"PLEX_UID": "7", "PLEX_GID": "8", "PLEX_CLAIM_FILE": "/run/secrets/plex_claim"},
        ),
        (
            "lscr.io/linuxserver/plex",
            {"PUID": "7", "PGID": "8", "FILE__PLEX_CLAIM": "/run/secrets/plex_claim", "VERSION": "docker"},
        ),
    ],
)
def test_each_image_is_told_its_user_and_its_claim_in_its_own_words(image, expected):
    environment = dict(
        word.split("=", 1) for word in spec(image=image, uid=7, gid=8, grace=90.0).creation(claim=True)["Env"]
    )
    assert environment == {"TZ": "Etc/UTC", "S6_SERVICES_GRACETIME": "90000"} | expected


def test_without_a_claim_no_container_looks_for_one():
    assert "CLAIM" not in json.dumps(spec().creation(claim=False))


def test_limits_are_given_in_the_engines_units():
    host = spec(memory=2_000_000, swap=1_000_000, cpus=1.5).creation(claim=False)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2_000_000, 3_000_000, 1_500_000_000)


def test_a_network_of_its_own_publishes_the_port_on_this_host_only():
    host = spec(network="bridge", port=32500).creation(claim=False)["HostConfig"]
    assert host["PortBindings"] == {"32400/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32500"}]}
    assert spec().creation(claim=False)["HostConfig"]["PortBindings"] == {}


def test_a_container_is_known_again_by_its_labels():
    labels = spec().creation(claim=True)["Labels"]
    assert differences(labels, spec()) == ()
    assert differences(labels, spec(image="linuxserver/plex")) == (
        "image: was plexinc/pms-docker, is to be linuxserver/plex",
    )
    assert differences({}, spec()) == ("it does not say how it was made",)


def test_the_settings_make_the_container(tmp_path):
    settings = Settings.model_validate(
        {
            "plex": {
                "runtime": "docker",
                "config_dir": "/srv/config",
                "docker": {"media": "/data/library", "memory": "2GiB", "environment": ["A=b=c"]},
            },
            "media": {"path": "/srv/media/library", "kind": "mount"},
        }
    )
    made = container_spec(settings)
    assert (made.name, made.image, made.network) == ("plex", "plexinc/pms-docker", "host")
    assert (made.memory, made.environment, made.remountable) == (2 * 1024**3, (("A", "b=c"),), True)
    assert on_host(settings, "/data/library/Movies") == "/srv/media/library/Movies"
    assert on_host(settings, "/data/library-2") == "/data/library-2"


def test_scanners_are_read_from_the_engines_list_of_processes():
    rows = [
        ["17", "/usr/lib/plexmediaserver/Plex Media Server"],
        ["23", "/usr/lib/plexmediaserver/Plex Media Scanner --analyze --item 4"],
        ["19", "/usr/lib/plexmediaserver/Plex Media Scanner --scan --refresh --section 3 --activity x"],
        ["29", "pgrep -f Plex Media Scanner"],
    ]
    assert scanners_of(rows) == (
        Scanner(pid=19, kind=ScannerKind.SCAN, section=3),
        Scanner(pid=23, kind=ScannerKind.ANALYZE),
    )


def test_a_measurement_is_the_difference_of_two_samples_without_the_page_cache():
    before = {"cpu_usage": {"total_usage": 1_000}, "system_cpu_usage": 10_000}
    now = {"cpu_usage": {"total_usage": 2_000}, "system_cpu_usage": 14_000, "online_cpus": 2}
    memory = {"usage": 900, "limit": 5_000, "stats": {"total_inactive_file": 300}}
    measured = measured_from({"cpu_stats": now, "precpu_stats": before, "memory_stats": memory})
    assert measured is not None
    assert (measured.cpus, measured.memory, measured.limit) == (0.5, 600, 5_000)
    assert measured_from({"cpu_stats": now, "precpu_stats": {}, "memory_stats": memory}) is None
    assert measured_from({}) is None
