"""Proves what a container is made of, and by what it is known again."""

import json
import os

import psutil
import pytest

from plexsuper.clients.docker.answers import measured_from, scanners_of
from plexsuper.clients.docker.limits import Machine, limits_of
from plexsuper.clients.docker.spec import ContainerSpec, differences
from plexsuper.clients.docker.wish import container_spec, on_host
from plexsuper.config import DockerSettings, Settings
from plexsuper.errors import SettingsError
from plexsuper.profiles import PROFILES
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
            {"PUID": "7", "PGID": "8", "VERSION": "docker"},
        ),
    ],
)
def test_each_image_is_told_its_user_and_its_claim_in_its_own_words(image, expected):
    made = spec(image=image, uid=7, gid=8, grace=90.0)
    environment = dict(word.split("=", 1) for word in made.creation(claim=made.claims_itself)["Env"])
    assert environment == {"TZ": "Etc/UTC", "S6_SERVICES_GRACETIME": "90000"} | expected


def test_without_a_claim_no_container_looks_for_one():
    assert "CLAIM" not in json.dumps(spec().creation(claim=False))


def test_limits_are_given_in_the_engines_units():
    host = spec(memory=2_000_000, swap=1_000_000, cpus=1.5).creation(claim=False)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2_000_000, 3_000_000, 1_500_000_000)


MACHINE = Machine(memory=32 * 1024**3 - 123_456_789, cpus=8)


@pytest.mark.parametrize(
    ("profile", "machine", "wanted", "said"),
    [
        pytest.param(
            "local_quick",
            MACHINE,
            {},
            "at most 12.75 GiB memory and 3.188 GiB swap, 4 processors",
            id="a try",
        ),
        pytest.param(
            "local_delta", MACHINE, {}, "at most 15.75 GiB memory and 3.938 GiB swap, 4 processors", id="home"
        ),
        pytest.param(
            "cloud_standard",
            MACHINE,
            {},
            "at most 27 GiB memory and 6.75 GiB swap, 7.2 processors",
            id="cloud",
        ),
        pytest.param(
            "cloud_intensive",
            MACHINE,
            {},
            "at most 28.5 GiB memory and 7.125 GiB swap, 7.6 processors",
            id="all",
        ),
        pytest.param(
            "cloud_intensive",
            Machine(memory=4 * 1024**3, cpus=2),
            {},
            "at most 2.5 GiB memory and 640 MiB swap, 1.9 processors",
            id="a small machine keeps what rclone needs",
        ),
        pytest.param(
            "cloud_intensive",
            Machine(memory=2 * 1024**3, cpus=1),
            {},
            "at most 1 GiB memory and 256 MiB swap, 0.95 processors",
            id="a tiny one is halved",
        ),
        pytest.param(
            "cloud_standard",
            MACHINE,
            {"memory": "2GiB", "cpus": 1.5},
            "at most 2 GiB memory and 0 GiB swap, 1.5 processors",
            id="what is set is stronger",
        ),
        pytest.param(
            "cloud_standard",
            MACHINE,
            {"swap": 0},
            "at most 27 GiB memory and 0 GiB swap, 7.2 processors",
            id="no swap",
        ),
        pytest.param(
            "cloud_standard",
            MACHINE,
            {"memory": 0, "cpus": 0},
            "as much memory as there is, all processors",
            id="0 is no limit",
        ),
        pytest.param(
            "cloud_standard", None, {}, "as much memory as there is, all processors", id="an engine elsewhere"
        ),
    ],
)
def test_without_settings_a_container_gets_its_profiles_share_of_the_machine(profile, machine, wanted, said):
    docker = DockerSettings.model_validate(wanted)
    assert str(limits_of(docker, PROFILES[profile], machine)) == said


def on_engine(address: str) -> Settings:
    docker = {"engine": address}
    plex = {"runtime": "docker", "config_dir": "/c", "docker": docker}
    return Settings.model_validate(
        {"profile": "cloud_standard", "plex": plex, "media": {"path": "/srv/media"}}
    )


def test_on_an_engine_of_this_host_the_shares_are_those_of_this_machine():
    made = container_spec(on_engine("unix:///run/docker.sock"))
    assert made.cpus == pytest.approx(0.9 * (os.cpu_count() or 1), abs=0.01)
    assert made.memory is not None
    assert 0.4 < made.memory / psutil.virtual_memory().total <= 0.85
    assert container_spec(on_engine("tcp://elsewhere:2375")).memory is None


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
        Scanner(pid=23, kind=ScannerKind.ANALYZE, items=(4,)),
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
