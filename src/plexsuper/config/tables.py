"""The tables of the settings: what can be set, its meaning, and what it is when nobody sets it.

Every field's description is shown in the settings file that `plexsuper init` writes and in the documentation.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ByteSize, ConfigDict, Field, SecretStr, computed_field

from plexsuper.config.types import (
    Claim,
    Duration,
    LocalPath,
    Matters,
    MessageUrls,
    Names,
    SecretUrl,
    ServerUrl,
    Words,
)
from plexsuper.kinds import SectionType
from plexsuper.paths import PlexPaths
from plexsuper.profiles import LOCAL_DELTA, stall_time
from plexsuper.terms import Matter


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DockerSettings(_Table):
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


class PlexSettings(_Table):
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
    token: SecretStr | None = Field(
        None,
        description="the server's token (better in PLEX_TOKEN); else it is read from Preferences.xml",
        examples=["…"],
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


class MediaSettings(_Table):
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


class LibrarySettings(_Table):
    """The library database, before and after Plex may touch it."""

    archive: LocalPath | None = Field(
        None,
        examples=["library.tar.zst"],
        description="an archive (`.tar.zst`, `.tar.gz`) whose library is put in place before Plex is started; the "
        "replaced one is kept",
    )
    check: Literal["full", "quick", "off"] = Field(
        "full",
        description="how the databases are checked before Plex is started (full: about 6 s a gigabyte)",
    )
    repair: bool = Field(
        True,
        description="repair damage that the check finds, on a copy; without it the run ends with exit code 5",
    )
    export: LocalPath | None = Field(
        None,
        examples=["library-new.tar.zst"],
        description="the archive that the library is written to at the end of the run, verified",
    )
    checkpoints: bool = Field(
        True, description="with `export`: also write `….checkpoint.tar.zst` beside it after each section"
    )

    @property
    def checkpoint(self) -> Path | None:
        """Where the checkpoints are written; None without an export."""
        return (
            None if self.export is None else self.export.with_name(f"{_stem(self.export)}.checkpoint.tar.zst")
        )


def _stem(archive: Path) -> str:
    return archive.name.partition(".tar")[0]


class GuardSettings(_Table):
    """What keeps library entries from being lost because storage failed."""

    enabled: bool = Field(
        True, description="without the guard a failing storage can cost the library: for demonstrations only"
    )
    sample: int = Field(
        64, ge=1, description="so many of a section's own files are looked up in storage before its scan"
    )
    stale_limit: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="a section of whose sample a greater share is not in storage is not scanned"
    )
    budget: int = Field(
        20, ge=0, description="so many entries may vanish in a scan before Plex is frozen and storage asked"
    )
    budget_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="... or this share of the section, whichever is more"
    )
    frozen_at_most: Duration = Field(
        1800.0, description="how long Plex may stand still in all; then the run ends with Plex stopped"
    )
    snapshot: bool = Field(
        True, description="copy the library database before the first scan, to restore lost entries from it"
    )
    empty_trash: bool = Field(
        False, description="empty a section's trash after its scan when every entry in it is really deleted"
    )
    when_idle: bool = Field(False, description="wait until nobody watches anything before Plex is silenced")

    def allowed(self, parts: int) -> int:
        """Return how many of *parts* entries may vanish before the guard looks."""
        return max(self.budget, int(self.budget_share * parts))


class RunSettings(_Table):
    """What a run does."""

    sections: Names = Field(
        (),
        description="the sections to process, by name or id, in this order; empty: all of them",
        examples=[["Movies", "Music"]],
    )
    definitions: LocalPath | None = Field(
        None,
        description="a sections file (`plex_libraries.json`): sections that are missing on the server are created",
        examples=["plex_libraries.json"],
    )
    sonic: bool = Field(True, description="sonic analysis of music (needs Plex Pass)")
    refresh: bool = Field(
        False, description="refresh the metadata of music before its sonic analysis (can take hours)"
    )
    deep: bool = Field(False, description="walk every directory, also those that seem unchanged")
    quick: bool = Field(
        False,
        description="to try a set-up: scan only (no analysis, no sonic), with the pace of profile local_quick",
    )
    fresh: bool = Field(
        False, description="start anew even if an earlier run with these settings has not ended"
    )
    dry_run: bool = Field(False, description="do everything up to the first change, print the plan, and end")
    retries: int = Field(
        2, ge=0, description="how often a failed section is tried again before it is set aside"
    )

    @property
    def analyze(self) -> bool:
        """Whether sections are analysed after their scan."""
        return not self.quick

    @property
    def sonic_wanted(self) -> bool:
        """Whether music is analysed sonically, if the server can."""
        return self.sonic and not self.quick


class Budgets(_Table):
    """How long one phase (scan, analyse, refresh, sonic) of a section may take before a warning is given."""

    movie: Duration = Field(LOCAL_DELTA.budgets[SectionType.MOVIE], description="films")
    show: Duration = Field(LOCAL_DELTA.budgets[SectionType.SHOW], description="series")
    artist: Duration = Field(LOCAL_DELTA.budgets[SectionType.ARTIST], description="music")
    photo: Duration = Field(LOCAL_DELTA.budgets[SectionType.PHOTO], description="photos")

    def __getitem__(self, type_: SectionType) -> float:
        budget: float = getattr(self, type_.value)
        return budget


class Timing(_Table):
    """How often things are looked at, and for how long they are waited for."""

    interval: Duration = Field(
        LOCAL_DELTA.interval, description="the time between two looks at the progress of a phase"
    )
    threshold: int = Field(
        LOCAL_DELTA.threshold, ge=1, description="so many looks without progress are a stall"
    )
    cap: Duration = Field(LOCAL_DELTA.cap, description="no phase takes longer than this")
    ready_patience: Duration = Field(
        LOCAL_DELTA.ready_patience, description="how long Plex may take to become ready"
    )
    token_patience: Duration = Field(
        LOCAL_DELTA.token_patience, description="how long the token is looked for"
    )
    token_every: Duration = Field(10.0, description="how often the token is looked for")
    quiet_window: Duration = Field(
        2.0, description="a phase is over when all signs are quiet for this long, at least"
    )
    quiet_window_max: Duration = Field(
        20.0, description="the longest such window that gaps seen in this run can lead to"
    )
    unseen_patience: Duration = Field(
        30.0, description="how long a phase that was asked for may take to be seen running"
    )
    poll_every: Duration = Field(
        5.0, description="how often activities and sections are polled besides notifications"
    )
    probe_every: Duration = Field(1.0, description="how often a server that is not ready is asked")
    sample_every: Duration = Field(
        0.5, description="how often the library database is asked whether anything moved (a few microseconds)"
    )
    goodbye: Duration = Field(10.0, description="how long restoring may take when the run is interrupted")
    # Last, because in a TOML file a table ends the one above it.
    budgets: Budgets = Field(
        Budgets(), description="by section type; a phase that still progresses goes on past it"
    )

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot see through pydantic's decorated properties
    @property
    def stall_after(self) -> float:
        """Seconds without progress after which a phase is stalled: `threshold` x `interval` (lesson L12)."""
        return stall_time(self.threshold, self.interval)

    @property
    def count_every(self) -> float:
        """Seconds between two full counts of a section that moves; a count that takes long makes it longer."""
        return min(self.interval, 5.0)

    def budget(self, type_: SectionType) -> float:
        """Return the seconds after which a phase of a section of *type_* is overdue; never more than `cap`."""
        return min(self.budgets[type_], self.cap)


class EventSettings(_Table):
    """The event stream."""

    format: Literal["auto", "jsonl", "text"] = Field(
        "auto",
        description="`jsonl`: JSON lines; `text`: plain lines; `auto`: live view on a terminal, else JSON lines",
    )


class WebSettings(_Table):
    """The web page of a run."""

    enabled: bool = Field(
        False, description="serve a page that shows the run live; its address is printed when the run begins"
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="where it is served: this machine only, or an address that others reach too (`0.0.0.0`: every one), "
        "who then need the token in the address",
    )
    port: int = Field(8484, ge=0, le=65535, description="its port; 0: any free one")
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="the token that readers need; without it none on this machine only, else a random one for each run",
        examples=["a-long-word-that-nobody-guesses"],
    )


class MetricsSettings(_Table):
    """The numbers of a run for Prometheus; the web page has them too, at `/metrics`."""

    textfile: LocalPath | None = Field(
        None,
        description="a file for node_exporter's textfile collector; its name has to end with `.prom`",
        examples=["/var/lib/prometheus/node-exporter/plexsuper.prom"],
    )
    every: Duration = Field(15.0, gt=0, description="how often that file is written")


class NotifySettings(_Table):
    """Messages to a person who is not looking; they need `pip install 'plexsuper[notify]'`, the ping does not."""

    urls: MessageUrls = Field(
        (),
        description="where messages go, as Apprise writes addresses (better in PLEXSUPER_NOTIFY__URLS)",
        examples=[["ntfys://my-topic"]],
    )
    when: Matters = Field(
        get_args(Matter),
        description="what is told: " + ", ".join(get_args(Matter)),
        examples=[["finished", "storage", "loss"]],
    )
    storage_after: Duration = Field(
        600.0, description="storage that is lost is told when it stays lost for so long"
    )
    ping_url: SecretUrl | None = Field(
        None,
        description="a monitor of jobs such as healthchecks.io is asked for this address with `/start` at the beginning and "
        "again and again during the run, without it at a good end, and with `/fail` at a bad one",
        examples=["https://hc-ping.com/…"],
    )
    ping_every: Duration = Field(
        300.0, gt=0, description="how often that monitor is told that the run goes on"
    )
