"""Proves that every problem with Docker is told before a run, with its remedy."""

from dataclasses import replace

import pytest

from plexsuper.actions.preflight.container import check_docker
from plexsuper.actions.preflight.seen import Seen
from plexsuper.clients.docker.engine import EngineInfo
from plexsuper.clients.docker.images import Image
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
)
IMAGE = Image(id="sha256:1", architecture="amd64", size=300)
GOOD = DockerSeen(
    engine=ENGINE, local=True, image=IMAGE, free=50 * 1024**3, propagates=True, port_taken=False
)
SETTINGS = Settings.model_validate({"plex": {"runtime": "docker"}})


def findings(docker: DockerSeen | None) -> list[tuple[str, str, str]]:
    seen = Seen(host=None, server=None, media=Proof(entries=1, latency=0.1, detail=""), docker=docker)  # type: ignore[arg-type]  # not looked at
    return [(found.severity, found.subject, found.message) for found in check_docker(SETTINGS, seen)]


def worst(docker: DockerSeen) -> list[str]:
    return [message for severity, _, message in findings(docker) if severity != "ok"]


def test_where_all_is_well_it_is_said_what_will_happen():
    assert findings(GOOD) == [
        ("ok", "docker", "engine 20.10.24, API 1.41, amd64"),
        ("ok", "image", "plexinc/pms-docker is here"),
        ("ok", "container", "plex will be made from plexinc/pms-docker"),
    ]


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
        ({"port_taken": True}, "port 32400 is taken by something else"),
    ],
)
def test_a_problem_is_told(changes, words):
    (message,) = worst(replace(GOOD, **changes))
    assert message.startswith(words)


def test_every_problem_has_a_remedy():
    bad = replace(GOOD, image=None, free=0, refused="no", port_taken=True, propagates=False, local=True)
    seen = Seen(host=None, server=None, media=Proof(entries=1, latency=0.1, detail=""), docker=bad)  # type: ignore[arg-type]  # not looked at
    assert all(found.remedy for found in check_docker(SETTINGS, seen) if found.severity != "ok")
