"""Plex's own directory on this machine: its preferences file and its logs; read, never written."""

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import anyio.to_thread

from plexsuper.errors import ServerAway
from plexsuper.paths import PlexPaths
from plexsuper.redact import Redactor, redact

_TRIES = 10
_BETWEEN = 0.1
_TAIL = 64 * 1024


async def read_preferences(config_dir: Path) -> dict[str, str]:
    """Return the attributes of `Preferences.xml`.

    Plex writes the file anew while it runs (another inode each time), so one that is missing or cut off is
    read again for a second. It holds the token: never log what comes from here.

    Raises:
        ServerAway: the file is not there yet, or cannot be read.
    """
    problem = ""
    for _ in range(_TRIES):
        path = await anyio.to_thread.run_sync(
            lambda: PlexPaths.found(config_dir).preferences_xml, abandon_on_cancel=True
        )
        try:
            text = await anyio.to_thread.run_sync(path.read_bytes, abandon_on_cancel=True)
            return dict(ET.fromstring(text).attrib)  # noqa: S314 - Plex's own file; expat limits expansion
        except FileNotFoundError:
            problem = f"there is no {path} yet"
        except OSError as error:
            raise ServerAway(
                f"{path} cannot be read: {error.strerror}; run as Plex's user or root"
            ) from error
        except ET.ParseError as error:
            problem = f"{path} is not complete: {error}"
        await anyio.sleep(_BETWEEN)
    raise ServerAway(problem)


def hider(config_dir: Path) -> Redactor:
    """Return what hides secrets in the server's words, its own token among them, which nobody may have asked for yet."""
    try:
        root = ET.fromstring(PlexPaths.found(config_dir).preferences_xml.read_bytes())  # noqa: S314 - see above
    except (OSError, ET.ParseError):
        return Redactor()
    return Redactor([root.get("PlexOnlineToken", "")])


def tail(path: Path, lines: int, *, hide: Callable[[str], str] = redact) -> tuple[str, ...]:
    """Return the last *lines* lines of a log, without secrets; none if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        start = max(0, end - _TAIL)
        os.lseek(descriptor, start, os.SEEK_SET)
        text = os.read(descriptor, _TAIL).decode("utf-8", "replace")
    except OSError:
        return ()
    finally:
        os.close(descriptor)
    found = text.splitlines()[1 if start else 0 :]  # the first one may be cut
    return tuple(hide(line) for line in found[-lines:])
