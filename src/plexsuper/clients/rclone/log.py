"""Reads rclone's log as it grows, and says which lines tell of trouble and of what kind."""

import json
import os
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from plexsuper.decisions.storage_signals import Trouble

_LARGEST: Final = 32 * 1024 * 1024
_KEPT: Final = 40
_ENOUGH: Final = 300

_SIGNS: Final[tuple[tuple[Trouble, re.Pattern[str]], ...]] = (
    ("cache_full", re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)),
    # Before auth: a throttled Google Drive answers 403.
    (
        "throttled",
        re.compile(r"\b(?:429|503)\b|SlowDown|rate ?limit ?exceeded|too many requests", re.IGNORECASE),
    ),
    (
        "auth",
        re.compile(
            r"StatusCode: 40[13]\b|status code: 40[13]\b|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch"
            r"|ExpiredToken|invalid_grant|InvalidToken|unauthori[sz]ed|\bForbidden\b|couldn't fetch token",
            re.IGNORECASE,
        ),
    ),
    ("gone", re.compile(r"NoSuchBucket|(?:directory|object) not found|container not found", re.IGNORECASE)),
    ("reset", re.compile(r"connection reset|broken pipe|unexpected EOF|server closed", re.IGNORECASE)),
    (
        "unreachable",
        re.compile(
            r"connection refused|no such host|i/o timeout|network is unreachable|no route to host"
            r"|deadline exceeded|TLS handshake|Client\.Timeout",
            re.IGNORECASE,
        ),
    ),
)

_NO_TROUBLE: Final = re.compile(r"updating systemd status")
"""rclone goes on to tell its state to the socket on which it told us that it is ready; nobody listens there any more."""

_SECRET: Final = re.compile(
    r"(?i)((?:secret|token|password|pass|signature|credential|access_?key\w*)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,]+"
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of rclone; `trouble` None when it tells of none."""

    level: str
    text: str
    trouble: Trouble | None


def read_line(raw: bytes) -> LogLine:
    """Read one line; 1.60's last words are plain text even with a JSON log, and its levels have other names."""
    text, level = raw.decode(errors="replace").strip(), ""
    if text.startswith("{"):
        try:
            entry = json.loads(text)
        except ValueError:
            entry = {}
        level = str(entry.get("level", ""))
        about = f"{entry['object']}: " if entry.get("object") else ""
        text = f"{about}{entry.get('msg', text)}"
    text = _SECRET.sub(r"\1…", text)
    return LogLine(level=level, text=shorten(text), trouble=trouble_of(text, level))


def shorten(text: str) -> str:
    """Return a long *text* without its middle: what it is about stands first, the reason last."""
    return text if len(text) <= _ENOUGH else f"{text[: _ENOUGH // 2]} … {text[-_ENOUGH // 2 :]}"


def trouble_of(text: str, level: str = "error") -> Trouble | None:
    """Return the kind of trouble that *text* tells of; what is only information never does."""
    if level in ("info", "debug") or _NO_TROUBLE.search(text):
        return None
    return next((kind for kind, sign in _SIGNS if sign.search(text)), None)


class LogTail:
    """The end of a log file of rclone, read as it grows.

    The log is a file and not a pipe: a pipe whose reader was killed would kill rclone with its next line, and
    the mount would be lost with the supervisor.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = 0
        self._rest = b""
        self.last: deque[str] = deque(maxlen=_KEPT)

    def read(self) -> tuple[LogLine, ...]:
        """Return the lines that came since the last call; never waits."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ()
        try:
            grown = self._read(descriptor)
            if self._at > _LARGEST:  # rclone appends, so it goes on at the beginning
                os.ftruncate(descriptor, 0)
                self._at = 0
        finally:
            os.close(descriptor)
        *lines, self._rest = (self._rest + grown).split(b"\n")
        found = tuple(read_line(line) for line in lines if line.strip())
        self.last.extend(line.text for line in found)
        return found

    def _read(self, descriptor: int) -> bytes:
        parts = []
        while part := os.pread(descriptor, 1024 * 1024, self._at):
            self._at += len(part)
            parts.append(part)
        return b"".join(parts)
