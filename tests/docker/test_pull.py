"""Proves that an image is there before anything else is asked, and that a pull which fails says what to do."""

import pytest

from plexsuper.actions.pull import pull_image
from plexsuper.clients.docker.engine import ask_engine, open_engine
from plexsuper.clients.docker.images import Images, explain_pull
from plexsuper.errors import PreflightError
from plexsuper.events import Event, ImagePulled, ImagePullProgressed
from tests.docker.lab import docker
from tests.docker.registry import Registry

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]


@pytest.mark.lesson("L42")
async def test_an_image_is_pulled_once_and_told_with_its_size(engine):
    facts: list[Event] = []
    async with open_engine(engine) as client, Registry().serving() as registry:
        name = registry.name("good")
        images = Images(client, (await ask_engine(client)).architecture)
        assert await images.find(name) is None
        try:
            await pull_image(images, name, facts.append)
            await pull_image(images, name, facts.append)
        finally:
            docker("image", "rm", name)
    pulled = [fact for fact in facts if isinstance(fact, ImagePulled)]
    assert [(fact.image, fact.already, fact.size) for fact in pulled] == [(name, False, 5), (name, True, 5)]
    progress = [fact for fact in facts if isinstance(fact, ImagePullProgressed)]
    assert progress[0].layers == 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("limited", "the registry has had too many requests from here"),
        ("arm", "there is no such image for the processor of this engine (amd64)"),
        ("missing", "there is no such image, or it wants a login: correct plex.docker.image"),
    ],
)
async def test_a_registry_that_refuses_is_explained(engine, image, words):
    async with open_engine(engine) as client, Registry().serving() as registry:
        images = Images(client, "amd64")
        with pytest.raises(PreflightError) as refused:
            await pull_image(images, registry.name(image), lambda _: None)
    assert words in str(refused.value)


async def test_without_a_registry_the_error_says_so_at_once(engine):
    async with open_engine(engine) as client:
        with pytest.raises(PreflightError, match=r"the registry cannot be reached.*docker load"):
            await pull_image(Images(client), "127.0.0.1:1/plexinc/pms-docker", lambda _: None)


async def test_an_image_for_another_processor_is_refused_before_it_is_started(engine, images):
    async with open_engine(engine) as client:
        with pytest.raises(PreflightError, match=r"it is for amd64.*processor of this engine \(arm64\)"):
            await pull_image(Images(client, "arm64"), images, lambda _: None)


def test_a_full_disk_is_explained():
    said = "failed to register layer: write /usr/lib/x: no space left on device"
    assert "make room with `docker image prune`" in explain_pull("plex", said)
