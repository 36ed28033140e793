"""The container that the settings wish for."""

from plexsuper.clients.docker.engine import engine_address, is_local
from plexsuper.clients.docker.limits import Limits, limits_of, this_machine
from plexsuper.clients.docker.spec import ContainerSpec
from plexsuper.config import Settings
from plexsuper.profiles import PROFILES


def container_spec(settings: Settings) -> ContainerSpec:
    """Return the container that *settings* mean; raise `SettingsError` for one that cannot work."""
    docker, plex, media = settings.plex.docker, settings.plex, settings.media
    assert plex.config_dir is not None
    assert media.path is not None
    limits = container_limits(settings)
    return ContainerSpec(
        name=docker.container,
        image=docker.image,
        config_dir=str(plex.config_dir),
        media=str(media.path),
        media_target=docker.media or str(media.path),
        remountable=media.kind != "directory",
        transcode_dir=None if docker.transcode is None else str(docker.transcode),
        network=docker.network,
        port=docker.port,
        memory=limits.memory,
        swap=limits.swap,
        cpus=limits.cpus,
        uid=docker.uid,
        gid=docker.gid,
        timezone=docker.timezone,
        grace=plex.stop_patience,
        environment=tuple(sorted(_assigned(word) for word in docker.environment)),
    )


def container_limits(settings: Settings) -> Limits:
    """Return how much of its machine the container may use; of an engine elsewhere nothing is known but the settings."""
    docker = settings.plex.docker
    machine = this_machine() if is_local(engine_address(docker.engine)) else None
    return limits_of(docker, PROFILES[settings.profile], machine)


def on_host(settings: Settings, path: str) -> str:
    """Return where this host has what the server calls *path*; unchanged when it is not in the media."""
    target = settings.plex.docker.media
    if settings.plex.runtime != "docker" or target is None or settings.media.path is None:
        return path
    target = target.rstrip("/")
    if path == target or path.startswith(f"{target}/"):
        return f"{settings.media.path}{path[len(target) :]}"
    return path


def _assigned(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
