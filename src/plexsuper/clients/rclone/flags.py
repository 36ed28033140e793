"""Which options rclone mounts with: a pure table by pace, every one of which the user may override."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from plexsuper.clients.rclone.binary import Rclone
from plexsuper.errors import SettingsError

Options = Mapping[str, str]
"""Option names without dashes, and their values; a switch is `true` or `false`."""

_COMMON: Final[Options] = MappingProxyType(
    {
        # Nobody deletes media through this mount, whatever Plex is told.
        "read-only": "true",
        "allow-other": "true",
        "uid": "1000",
        "gid": "1000",
        "umask": "022",
        "vfs-cache-mode": "full",
        "vfs-cache-poll-interval": "30s",
        # With the usual 64 MiB chunks, read-ahead and buffers one read of 64 KiB pulls 129 to 257 MiB from storage.
        # Small first chunks that double keep it below 4 times, and a file read in whole soon has large ones. rclone
        # always takes 32 KiB more than it was asked for, and breaks off a request that has not ended then: with these
        # 96 KiB the first 64 KiB of 300 files needed 13 connections, with 64 or 128 KiB one for each file.
        "vfs-read-chunk-size": "96k",
        "vfs-read-chunk-size-limit": "64M",
        "vfs-read-ahead": "0",
        "buffer-size": "0",
        # Else each closed file holds its connection for 5 s more, and warming has hundreds of them (lesson L39).
        "vfs-handle-caching": "0",
        # What is listed is listed for the whole run: a refresh on a failing backend loses names.
        "dir-cache-time": "72h",
        "poll-interval": "0",
        "attr-timeout": "1s",
        # Else the time of each file costs a request, and after a failed one it silently is another (S3).
        "use-server-modtime": "true",
        "use-json-log": "true",
        "log-level": "INFO",
        "stats": "5m",
    }
)

_LOCAL: Final[Options] = MappingProxyType(
    {
        # A home line: patient, and few connections, else the router's table of them overflows (lesson L39).
        "timeout": "60s",
        "contimeout": "20s",
        "low-level-retries": "10",
        "transfers": "4",
        "checkers": "4",
        "max-connections": "16",
        "vfs-cache-max-age": "24h",
        "vfs-cache-min-free-space": "1G",
    }
)

_CLOUD: Final[Options] = MappingProxyType(
    {
        "timeout": "20s",
        "contimeout": "5s",
        "low-level-retries": "4",
        "transfers": "16",
        "checkers": "16",
        "max-connections": "96",
        "vfs-cache-max-age": "72h",
        "vfs-cache-min-free-space": "2G",
    }
)

_RESERVED: Final = frozenset(
    {"config", "cache-dir", "vfs-cache-max-size", "daemon", "daemon-wait", "daemon-timeout", "log-file"}
    | {"rc", "rc-addr", "rc-user", "rc-pass", "rc-no-auth", "rc-serve", "rc-enable-metrics", "use-json-log"}
)
"""What plexsuper needs as it is, or has a setting of its own for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountWish:
    """What the user wants of a mount; `cache_size` as rclone writes sizes, `more` are options as one would type them."""

    remote: str
    config: Path
    cache_dir: Path
    cache_size: str = "20G"
    cloud: bool = False
    more: Sequence[str] = ()


def mount_options(wish: MountWish, rclone: Rclone) -> dict[str, str]:
    """Return the options for *wish*, without those that this *rclone* does not know unless the user asked for them.

    Raises:
        SettingsError: one of the user's options is reserved, or none.
    """
    defaults = {**_COMMON, **(_CLOUD if wish.cloud else _LOCAL), "vfs-cache-max-size": wish.cache_size}
    known = {name: value for name, value in defaults.items() if rclone.knows(name)}
    return known | parse_options(wish.more)


def parse_options(words: Sequence[str]) -> dict[str, str]:
    """Read `--name=value`, `--name value` and `--name` (a switch).

    Raises:
        SettingsError: a word is no option, or one that plexsuper sets itself.
    """
    options: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, assigned, value = word[2:].partition("=")
            if name in _RESERVED:
                raise SettingsError(f"media.flags: --{name} is set by plexsuper itself")
            options[name] = value if assigned else "true"
        elif name and options[name] == "true":
            options[name], name = word, ""
        else:
            raise SettingsError(f"media.flags: {word!r} is no option; write --name=value")
    return options


def command_line(
    rclone: Rclone, wish: MountWish, options: Options, *, target: str, control: str, cache_dir: Path
) -> list[str]:
    """Return the whole command that mounts *wish* at *target* with its remote control at *control*."""
    ours = {"config": str(wish.config), "cache-dir": str(cache_dir), "rc": "true", "rc-addr": control}
    ours |= {"rc-serve": "true", "rc-enable-metrics": "true"}
    if control.startswith("unix:"):
        ours["rc-no-auth"] = "true"  # who may open the socket is a matter of its directory's rights
    words = [f"--{name}={value}" for name, value in (*options.items(), *ours.items())]
    return [rclone.path, "mount", wish.remote, target, *words]
