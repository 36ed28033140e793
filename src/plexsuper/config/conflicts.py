"""Settings that are right one by one and impossible together: pure, each with the keys it is about."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexsuper.config.file import Key
from plexsuper.config.model import Settings
from plexsuper.config.tables import Timing
from plexsuper.config.tables.library import ARCHIVES
from plexsuper.durations import spell_duration


@dataclass(frozen=True, slots=True)
class Conflict:
    """A combination that cannot work; the first of `keys` is the one to look at."""

    keys: tuple[Key, ...]
    reason: str
    hint: str = ""


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield every impossible combination in *settings*."""
    yield from _server(settings)
    yield from _storage(settings)
    yield from _library(settings)
    yield from _wishes(settings)
    yield from _patience(settings.timing)
    if settings.media.deadline > settings.media.patience:
        yield Conflict(
            (("media", "deadline"), ("media", "patience")),
            "one probe may not take longer than the storage may be lost (media.patience)",
        )


def _server(settings: Settings) -> Iterator[Conflict]:
    plex = settings.plex
    if plex.config_dir is None and plex.token is None:
        yield Conflict(
            (("plex", "config_dir"), ("plex", "token")),
            "is not set, and there is no token either",
            "set plex.config_dir to Plex's directory (progress and token are read there), or give PLEX_TOKEN",
        )
    elif plex.runtime == "docker":
        yield from _container(settings)
    elif plex.command and plex.config_dir is None:
        yield Conflict(
            (("plex", "config_dir"), ("plex", "command")),
            "is not set, but plex.command is to start the server",
            "set plex.config_dir to the directory of the server that the command starts",
        )
    elif plex.config_dir is None and (settings.library.archive or settings.library.export):
        yield Conflict(
            (("plex", "config_dir"), ("library", "archive"), ("library", "export")),
            "is not set, and library.archive and library.export are about the databases in it",
            "set plex.config_dir to Plex's directory, or leave them out",
        )


def _container(settings: Settings) -> Iterator[Conflict]:
    plex, media = settings.plex, settings.media
    if plex.config_dir is None:
        yield Conflict(
            (("plex", "config_dir"), ("plex", "runtime")),
            "is not set, but the container needs a directory for /config",
            "set plex.config_dir to the directory that the container shall have as /config",
        )
    if plex.command:
        yield Conflict(
            (("plex", "command"), ("plex", "runtime")),
            "starts a process of this host, but plex.runtime is docker",
            "leave plex.command out: the container's image knows how to start Plex",
        )
    target = plex.docker.media
    if media.path is not None and media.kind != "directory":
        if media.path.parent == media.path.parent.parent:
            yield Conflict(
                (("media", "path"), ("plex", "runtime")),
                "lies directly below the root directory, and of a mount the directory above it is bound",
                "mount the media one level deeper, such as /srv/media/library",
            )
        if target is not None and target.rstrip("/").rpartition("/")[2] != media.path.name:
            yield Conflict(
                (("plex", "docker", "media"), ("media", "path")),
                f"does not end with {media.path.name}, as media.path does: the directory above the mount is bound",
                "give both the same last name",
            )


def _storage(settings: Settings) -> Iterator[Conflict]:
    media = settings.media.path
    if media is None:
        yield Conflict(
            (("media", "path"),),
            "is not set",
            "no section is scanned before its storage is proved by content: name the media's directory or mount point",
        )
        return
    if settings.media.kind == "rclone" and not settings.media.remote:
        yield Conflict(
            (("media", "remote"),),
            "is not set",
            "media.kind is rclone: name the remote to mount, such as s3:bucket/media",
        )
    for key, path, thing in (
        (("plex", "config_dir"), settings.plex.config_dir, "Plex's database"),
        (("state_dir",), settings.state_dir, "plexsuper's record of the run"),
        (("metrics", "textfile"), settings.metrics.textfile, "the file of the metrics"),
        (("library", "export"), settings.library.export, "the library of the whole run"),
    ):
        if path is not None and _is_below(path, media):
            yield Conflict(
                (key, ("media", "path")),
                f"lies inside media.path ({media}): {thing} would be on the storage that can fail",
                "choose a directory on a local disk",
            )


def _library(settings: Settings) -> Iterator[Conflict]:
    export = settings.library.export
    if export is not None and not export.name.endswith(ARCHIVES):
        yield Conflict(
            (("library", "export"),),
            f"ends with {export.suffix or 'nothing'}: an archive is written as .tar.zst or .tar.gz",
        )


def _wishes(settings: Settings) -> Iterator[Conflict]:
    run = settings.run
    if run.quick and run.deep:
        yield Conflict(
            (("run", "quick"), ("run", "deep")),
            "quick and deep contradict each other: a deep walk is the longest scan there is",
            "leave one of them out",
        )
    if run.quick and run.refresh:
        yield Conflict(
            (("run", "quick"), ("run", "refresh")),
            "quick only scans: metadata would not be refreshed",
            "leave one of them out",
        )
    textfile = settings.metrics.textfile
    if textfile is not None and textfile.suffix != ".prom":
        yield Conflict(
            (("metrics", "textfile"),),
            f"ends with {textfile.suffix or 'nothing'}: node_exporter only reads files whose names end with .prom",
        )
    twice = {name for name in run.sections if run.sections.count(name) > 1}
    if twice:
        yield Conflict((("run", "sections"),), f"names {', '.join(sorted(twice))} more than once")


def _patience(timing: Timing) -> Iterator[Conflict]:
    """Yield the pairs in *timing* of which the first must not be longer than the second."""
    stall = ("timing", "threshold")
    pairs = (
        ("quiet_window", timing.quiet_window, "quiet_window_max", timing.quiet_window_max),
        ("token_every", timing.token_every, "token_patience", timing.token_patience),
        ("probe_every", timing.probe_every, "ready_patience", timing.ready_patience),
        ("poll_every", timing.poll_every, "unseen_patience", timing.unseen_patience),
    )
    for short, value, long, bound in pairs:
        if value > bound:
            yield Conflict(
                (("timing", short), ("timing", long)),
                f"{spell_duration(value)} is longer than timing.{long} ({spell_duration(bound)})",
            )
    for name, value in (
        ("quiet_window_max", timing.quiet_window_max),
        ("poll_every", timing.poll_every),
        ("sample_every", timing.sample_every),
    ):
        if value >= timing.stall_after:
            yield Conflict(
                (("timing", name), stall, ("timing", "interval")),
                f"{spell_duration(value)} is not shorter than the stall time of {spell_duration(timing.stall_after)} "
                f"({timing.threshold} x {spell_duration(timing.interval)}): work would be called stalled before anyone looked",
            )
    if timing.stall_after > timing.cap:
        yield Conflict(
            (("timing", "cap"), stall, ("timing", "interval")),
            f"{spell_duration(timing.cap)} is shorter than the stall time of {spell_duration(timing.stall_after)}",
        )


def _is_below(path: Path, top: Path) -> bool:
    return path.is_relative_to(top)
