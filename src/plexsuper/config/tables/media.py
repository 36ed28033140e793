"""The table of the media storage."""

from typing import Literal

from pydantic import Field

from plexsuper.config.tables.table import Table
from plexsuper.config.types import (
    Duration,
    LocalPath,
    Words,
)
from plexsuper.profiles import LOCAL_DELTA


class MediaSettings(Table):
    """The media storage."""

    path: LocalPath | None = Field(
        None,
        description="the directory or mount point with the media; it is proved by content",
        examples=["/mnt/media"],
    )
    kind: Literal["directory", "mount", "rclone"] = Field(
        "directory",
        description="`mount`: something must be mounted at the path; `directory`: it only has to hold content; "
        "`rclone`: plexsuper mounts `remote` there itself, watches it, and mounts it anew when it dies",
    )
    remote: str | None = Field(
        None,
        description="what rclone mounts: a remote of its configuration and a path in it",
        examples=["s3:my-bucket/media"],
    )
    rclone: str = Field(
        "", description="the rclone to use; empty: the one of the `rclone` extra, else on PATH"
    )
    rclone_config: LocalPath | None = Field(
        None,
        description="rclone's configuration file; without it rclone's usual one",
        examples=["/etc/rclone/rclone.conf"],
    )
    cache_dir: LocalPath | None = Field(
        None,
        description="where rclone caches files, on a local disk; without it below `state_dir`",
        examples=["/var/cache/plexsuper"],
    )
    cache_size: str = Field("20G", description="how large that cache may grow, as rclone writes sizes")
    flags: Words = Field(
        (),
        description="more options for `rclone mount`, stronger than those of the profile",
        examples=[["--transfers=8"]],
    )
    warm: bool = Field(
        True,
        description="with `rclone`: read the beginning of every new file before its analysis, which never retries",
    )
    connections: int = Field(
        LOCAL_DELTA.connections,
        ge=1,
        description="how many files plexsuper itself reads from the storage at once",
    )
    every: Duration = Field(5.0, description="how often the storage is probed")
    deadline: Duration = Field(30.0, description="how long one probe may take; a slow line is not a dead one")
    patience: Duration = Field(
        LOCAL_DELTA.media_patience, description="how long the storage may be lost before the run ends"
    )
