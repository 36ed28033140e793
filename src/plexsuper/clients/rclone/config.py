"""Reads of the user's rclone configuration what may be known: the remotes' names and kinds, never a secret."""

import configparser
import os
from pathlib import Path

from plexsuper.errors import PreflightError, SettingsError


def remote_name(remote: str) -> str | None:
    """Return the name before the colon of *remote* (`s3:media/films`); None for one given whole (`:s3,…:media`).

    Raises:
        SettingsError: it has no colon, so rclone would take it for a local directory.
    """
    name, colon, _ = remote.partition(":")
    if not colon:
        raise SettingsError(
            f"media.remote is {remote!r}: write the remote's name, a colon and the path, such as s3:media"
        )
    return name.partition(",")[0] or None


def default_config() -> Path:
    """Return where rclone looks for its configuration when none is named."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - a text only
    return Path(base) / "rclone" / "rclone.conf"


def read_remotes(config: Path) -> dict[str, str] | None:
    """Return name and kind of every remote in *config*; None when it is encrypted. Reads a file: not on the loop.

    Raises:
        PreflightError: it cannot be read.
    """
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise PreflightError(
            f"the rclone configuration {config} cannot be read: {reason}; set media.rclone_config"
        ) from error
    if "RCLONE_ENCRYPT_V" in text[:4096]:
        return None
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # The library's message quotes lines, and lines hold secrets.
        raise PreflightError(
            f"the rclone configuration {config} is damaged: {type(error).__name__}"
        ) from None
    return {name: parser[name].get("type", "") for name in parser.sections()}


def check_remote(config: Path, remote: str) -> None:
    """Make sure that *remote* is named in *config*; an encrypted one is rclone's own matter.

    Raises:
        PreflightError: it is not, with the names that are.
    """
    name = remote_name(remote)
    if name is None:
        return
    remotes = read_remotes(config)
    if remotes is not None and name not in remotes:
        known = ", ".join(sorted(remotes)) or "none"
        raise PreflightError(f"{config} has no remote named {name!r}; it has: {known}")
