"""What the settings of the media storage mean to the one who mounts it."""

from plexsuper.clients.rclone.config import default_config
from plexsuper.clients.rclone.flags import MountWish
from plexsuper.clients.storage.mount import Storage
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.config import Settings


def wish_of(settings: Settings) -> MountWish | None:
    """Return what the run is to mount; None when somebody else did."""
    media = settings.media
    if media.kind != "rclone" or media.remote is None:
        return None
    return MountWish(
        remote=media.remote,
        config=media.rclone_config or default_config(),
        cache_dir=media.cache_dir or settings.state_dir / "cache",
        cache_size=media.cache_size,
        cloud=settings.profile.startswith("cloud"),
        more=media.flags,
    )


def probe_of(settings: Settings) -> ContentProbe:
    """Return the probe that looks at the media storage as Plex sees it."""
    media = settings.media
    assert media.path is not None, "load_settings refuses settings without it"
    return ContentProbe(media.path, kind="directory" if media.kind == "directory" else "mount")


def storage_of(settings: Settings) -> Storage | None:
    """Return the storage that the run mounts itself; None when somebody else did."""
    media, wish = settings.media, wish_of(settings)
    if wish is None or media.path is None:
        return None
    return Storage(
        point=media.path,
        base=settings.state_dir / "mount",
        wish=wish,
        named=media.rclone,
        connections=media.connections,
        deadline=media.deadline,
        share=settings.plex.runtime == "docker",
    )
