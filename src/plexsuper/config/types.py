"""The types of single settings: what people may write, and the value that it becomes."""

import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import from_json

from plexsuper.durations import parse_duration
from plexsuper.profiles import PROFILES
from plexsuper.terms import Matter

_ADDRESS: Final = "http://127.0.0.1:32400"


def _local_path(value: object) -> object:
    """Make a path absolute by its text alone: asking a path below a dead mount anything could hang for ever."""
    if not isinstance(value, str | Path):
        return value
    path = Path(value).expanduser()
    return os.path.normpath(path if path.is_absolute() else Path.cwd() / path)


def _names(value: object) -> object:
    """Take a JSON list, or names with commas between them, where only text can be given (the environment)."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return from_json(value)
    return [name.strip() for name in value.split(",") if name.strip()]


def _words(value: object) -> object:
    """Take a command line as one text, split as a shell does."""
    return shlex.split(value) if isinstance(value, str) else value


def _server_url(value: str) -> str:
    try:
        parts, _ = urlsplit(value), urlsplit(value).port
    except ValueError as error:
        why = "" if "@" in value else f" ({error})"  # the standard library's words may quote a password
        raise ValueError(f"must be the server's address, such as {_ADDRESS}{why}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"must be the server's address, such as {_ADDRESS}")
    if parts.query or parts.username or parts.fragment:
        raise ValueError("must be an address alone; the token belongs into plex.token or PLEX_TOKEN")
    return value.rstrip("/")


def _token(value: SecretStr) -> SecretStr:
    """Take the blanks off that are copied with it; what could not stand in a header is no token."""
    token = value.get_secret_value().strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("is not a token: it is empty, or has blanks or other signs that no token has")
    return SecretStr(token)


def _claim(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("claim-"):
        raise ValueError("is not a claim token: those begin with claim-, and are valid for four minutes")
    return value


def _profile_name(value: str) -> str:
    if value not in PROFILES:
        raise ValueError(f"{value!r} is not one of {', '.join(PROFILES)}")
    return value


def _matters(value: tuple[str, ...]) -> tuple[str, ...]:
    known = get_args(Matter)
    for name in value:
        if name not in known:
            raise ValueError(f"{name!r} is not one of {', '.join(known)}")
    return value


def _deliverable(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if value and find_spec("apprise") is None:
        raise ValueError("need Apprise, which is not installed: pip install 'plexsuper[notify]'")
    return value


def _web_url(value: SecretStr) -> SecretStr:
    """Refuse what is no address; a port that is none at all raises when it is looked at."""
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("must be an address that begins with https:// or http://")
    return value


Duration: TypeAlias = Annotated[float, BeforeValidator(parse_duration)]
LocalPath: TypeAlias = Annotated[Path, BeforeValidator(_local_path)]
Name: TypeAlias = Annotated[str, Field(min_length=1)]
Words: TypeAlias = Annotated[tuple[Name, ...], BeforeValidator(_words)]
Names: TypeAlias = Annotated[tuple[Name, ...], BeforeValidator(_names)]
ServerUrl: TypeAlias = Annotated[str, AfterValidator(_server_url)]
MessageUrls: TypeAlias = Annotated[
    tuple[SecretStr, ...], BeforeValidator(_words), AfterValidator(_deliverable)
]
SecretUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_web_url)]
Matters: TypeAlias = Annotated[tuple[Name, ...], BeforeValidator(_names), AfterValidator(_matters)]
Token: TypeAlias = Annotated[SecretStr, AfterValidator(_token)]
Claim: TypeAlias = Annotated[SecretStr, AfterValidator(_claim)]
ProfileName: TypeAlias = Annotated[str, AfterValidator(_profile_name)]
