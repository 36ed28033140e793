"""The tables of the server: where and how Plex runs."""

from typing import Annotated, Literal

from pydantic import ByteSize, Field

from plexsuper.config.tables.table import Table
from plexsuper.config.types import (
    Claim,
    Duration,
    LocalPath,
    ServerUrl,
    Token,
    Words,
)
from plexsuper.paths import PlexPaths


class DockerSettings(Table):
    """The server's container, for `plex.runtime = "docker"`."""

    image: str = Field(
        "plexinc/pms-docker",
        description="the image: `plexinc/pms-docker`, `linuxserver/plex`, or one like them",
    )
    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]+$")] = Field(
        "plex", description="the container's name; one of that name that plexsuper did not make is left alone"
    )
    engine: str | None = Field(
        None,
        description="the Docker engine's address; else DOCKER_HOST, else the usual socket",
        examples=["unix:///var/run/docker.sock"],
    )
    network: str = Field(
        "host", description="`host`, `bridge`, or a network's name; not on the host's, the port is published"
    )
    port: int = Field(
        32400, ge=1, le=65535, description="the port of this host for a network that is not the host's"
    )
    media: str | None = Field(
        None,
        description="where the container sees media.path; else in the same place. Of a mount the directory above it is "
        "bound, so the last name has to be the same",
        examples=["/data/media"],
    )
    transcode: LocalPath | None = Field(
        None,
        description="a directory for `/transcode`; else inside the container",
        examples=["/srv/plex-transcode"],
    )
    memory: ByteSize | None = Field(
        None,
        description="the most memory it may use; without it a share of this machine by profile, 0: no limit",
        examples=["8GiB"],
    )
    swap: ByteSize | None = Field(
        None,
        description="the most swap besides that memory; without it none, or a quarter of the profile's share of memory",
        examples=["2GiB"],
    )
    cpus: float | None = Field(
        None,
        ge=0,
        description="how many processors it may use; without it a share of this machine by profile, 0: all",
        examples=[3.5],
    )
    uid: int | None = Field(
        None, ge=0, description="the user whose files Plex's are (PLEX_UID, PUID)", examples=[1000]
    )
    gid: int | None = Field(
        None, ge=0, description="the group whose files Plex's are (PLEX_GID, PGID)", examples=[1000]
    )
    timezone: str = Field("Etc/UTC", description="the container's time zone")
    environment: Words = Field(
        (), description="further variables of the container", examples=[["ALLOWED_NETWORKS=192.168.0.0/24"]]
    )


class PlexSettings(Table):
    """The Plex server."""

    runtime: Literal["local", "docker"] = Field(
        "local",
        description="where Plex runs: `local` is a process on this host, `docker` a container that plexsuper makes",
    )
    url: ServerUrl = Field("http://127.0.0.1:32400", description="the server's address")
    config_dir: LocalPath | None = Field(
        None,
        description="Plex's own directory: the one that holds `Library/Application Support/Plex Media Server`, "
        "or `Plex Media Server` itself; progress is read from the library database in it",
        examples=["/var/lib/plexmediaserver"],
    )
    command: Words = Field(
        (),
        description="the command that starts Plex when it does not run; without it plexsuper only attaches",
        examples=[["/usr/lib/plexmediaserver/Plex Media Server"]],
    )
    token: Token | None = Field(
        None,
        description="the server's token (better in PLEX_TOKEN); else it is read from Preferences.xml",
        examples=["xxxxxxxxxxxxxxxxxxxx"],
    )
    claim: Claim | None = Field(
        None,
        description="a claim token for a fresh server (better in PLEX_CLAIM); valid for four minutes",
        examples=["claim-…"],
    )
    allow_unclaimed: bool = Field(
        False,
        description="a new server in a container may go on without an owner; else its claim is asked for at the terminal",
    )
    stop_patience: Duration = Field(
        60.0,
        description="how long a server that plexsuper started may take to stop and to write its database",
    )

    # Last, because in a TOML file a table ends the one above it.
    docker: DockerSettings = Field(DockerSettings(), description="the container")

    @property
    def can_start(self) -> bool:
        """Whether plexsuper can start the server itself."""
        return self.runtime == "docker" or bool(self.command)

    @property
    def paths(self) -> PlexPaths | None:
        """The server's files; None when `config_dir` is not known."""
        return None if self.config_dir is None else PlexPaths.below(self.config_dir)
