"""Proves that every problem with Docker is told before a run, with its remedy."""

from dataclasses import replace

import pytest

from plexsuper.actions.preflight.container import check_docker
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.docker.engine import EngineInfo
from plexsuper.clients.docker.images import Image
from plexsuper.clients.docker.limits import Limits
from plexsuper.clients.docker.survey import DockerSeen
from plexsuper.config import Settings
from plexsuper.decisions.health import Proof

ENGINE = EngineInfo(
    version="20.10.24",
    api=(1, 41),
    os="linux",
    architecture="amd64",
    root="/var/lib/docker",
    cgroup="2",
    rootless=False,
    host_name="box",
    cpus=4,
)
IMAGE = Image(id="sha256:1", architecture="amd64", size=300)
GOOD = DockerSeen(
    engine=ENGINE,
    local=True,
    image=IMAGE,
    free=50 * 1024**3,
    propagates=True,
    port_taken=False,
    limits=Limits(memory=6 * 1024**3, swap=1536 * 1024**2, cpus=3.5),
)
SETTINGS = Settings.model_validate(
    {"plex": {"runtime": "docker"}, "media": {"path": "/srv/my mounts/media", "kind": "mount"}}
)


def seen(docker: DockerSeen | None, **changes: bool) -> Seen:
    proof = Proof(entries=1, latency=0.1, detail="")
    return Seen(host=None, server=None, media=proof, docker=docker, **changes)  # type: ignore[arg-type]  # not looked at


def findings(docker: DockerSeen | None) -> list[tuple[str, str, str]]:
    found = check_docker(SETTINGS, seen(docker, terminal=True))
    return [(finding.severity, finding.subject, finding.message) for finding in found]


def worst(docker: DockerSeen) -> list[str]:
    return [message for severity, _, message in findings(docker) if severity != "ok"]


def test_where_all_is_well_it_is_said_what_will_happen():
    assert findings(GOOD) == [
        ("ok", "docker", "engine 20.10.24, API 1.41, amd64"),
        ("ok", "image", "plexinc/pms-docker is here"),
        ("ok", "container", "plex will be made from plexinc/pms-docker"),
        ("ok", "container", "it may use at most 6 GiB memory and 1.5 GiB swap, 3.5 processors"),
        ("ok", "claim", "the server is new: its claim will be asked for here when its image is here"),
    ]


@pytest.mark.lesson("L42")
@pytest.mark.parametrize(
    ("changes", "plex", "severity", "words"),
    [
        ({"terminal": True}, {}, "ok", "will be asked for here"),
        ({}, {}, "error", "belongs to nobody, and there is no claim for it"),
        ({}, {"claim": "claim-abcdefghij"}, "ok", "given in the settings"),
        ({}, {"allow_unclaimed": True}, "ok", "goes on without an owner"),
    ],
)
def test_it_is_told_how_a_new_server_gets_its_owner(changes, plex, severity, words):
    settings = Settings.model_validate({"plex": {"runtime": "docker", **plex}})
    (found,) = [found for found in check_docker(settings, seen(GOOD, **changes)) if found.subject == "claim"]
    assert found.severity == severity
    assert words in found.message
    assert bool(found.remedy) is (severity == "error")


@pytest.mark.parametrize(
    ("docker", "changes"),
    [(GOOD, {"token": True}), (replace(GOOD, running=True), {}), (replace(GOOD, local=False), {})],
    ids=["it has an owner", "it runs", "its files are elsewhere"],
)
def test_nothing_is_said_of_a_claim_where_none_is_needed(docker, changes):
    assert [
        found for found in check_docker(SETTINGS, seen(docker, **changes)) if found.subject == "claim"
    ] == []


def test_without_docker_there_is_nothing_to_say():
    assert findings(None) == []


def test_an_engine_that_does_not_answer_is_the_only_finding():
    away = DockerSeen(engine=None, refused="the Docker engine does not answer")
    assert findings(away) == [("error", "docker", "the Docker engine does not answer")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"engine": replace(ENGINE, api=(1, 40))}, "its API is older than 1.41"),
        ({"engine": replace(ENGINE, os="windows")}, "the engine runs windows containers"),
        ({"engine": replace(ENGINE, rootless=True)}, "the engine is rootless"),
        ({"local": False}, "the engine is on another host"),
        ({"propagates": False}, "the directory above media.path is not on a shared mount"),
        (
            {"image": None, "free": 1024**3},
            "1.0 GiB are free in /var/lib/docker; the image needs up to 3 GiB",
        ),
        (
            {"image": replace(IMAGE, architecture="arm64")},
            "plexinc/pms-docker is for arm64, the engine for amd64",
        ),
        ({"refused": "there is a container called plex that plexsuper did not make"}, "there is a container"),
        ({"limits": Limits(cpus=4.5)}, "it may use 4.5 processors, and the engine has 4"),
        ({"port_taken": True}, "port 32400 is taken by something else"),
    ],
)
def test_a_problem_is_told(changes, words):
    (message,) = worst(replace(GOOD, **changes))
    assert message.startswith(words)


def test_only_who_mounts_by_other_means_is_told_how_a_directory_is_shared():
    private = seen(replace(GOOD, propagates=False), terminal=True)
    (told,) = [found for found in check_docker(SETTINGS, private) if found.severity != "ok"]
    assert told.remedy == (
        "mount --bind '/srv/my mounts' '/srv/my mounts' && mount --make-shared '/srv/my mounts'"
    )
    media = {"path": "/srv/mounts/media", "kind": "rclone", "remote": "s3:media"}
    ours = Settings.model_validate({"plex": {"runtime": "docker"}, "media": media})
    assert [found for found in check_docker(ours, private) if found.severity != "ok"] == []


def test_every_problem_has_a_remedy():
    bad = replace(GOOD, image=None, free=0, refused="no", port_taken=True, propagates=False, local=True)
    assert all(found.remedy for found in check_docker(SETTINGS, seen(bad)) if found.severity != "ok")
