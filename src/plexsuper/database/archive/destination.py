"""Where the library of an archive goes: in place of the present one, or where Plex will look for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.files import BLOBS, DATABASES, LIBRARY, locate_pair, os_errors, refuse_blobs
from plexsuper.errors import DatabaseError
from plexsuper.paths import APPLICATION_SUPPORT, SERVER, PlexPaths

_WHOLE = (APPLICATION_SUPPORT / SERVER / DATABASES).parts
_LAYOUT = set(_WHOLE)
_NOT_COUNTED = {"lost+found"}


@dataclass(frozen=True, slots=True)
class Destination:
    """A directory, which need not exist yet, and the names of the two databases in it."""

    directory: Path
    library: str = LIBRARY
    blobs: str = BLOBS


def find_destination(given: Path) -> Destination:
    """Return where a library goes when the user names *given*: a database, a directory of them, or one of Plex's.

    An empty directory is taken for what a container mounts as `/config`. A name that ends with `.db` is meant as it is.

    Raises:
        DatabaseError: it is none of these, or does not exist.
    """
    with os_errors(f"cannot read {given}"):
        refuse_blobs(given)
    with suppress(DatabaseError):
        pair = locate_pair(given)
        return Destination(pair.directory, pair.library.name, f"{pair.library.stem}.blobs.db")
    with os_errors(f"cannot read {given}"):
        directory = given.parent if given.suffix == ".db" else _vacant(given)
        missing = _missing(directory)
    if missing and not (directory.name == DATABASES.name and _spelled_out(directory, missing)):
        raise DatabaseError(f"{directory} is not a directory: create it with the owner Plex runs as")
    for name in (LIBRARY, BLOBS):
        if os.path.lexists(directory / name) and not (directory / name).is_file():
            raise DatabaseError(
                f"{directory / name} is not a file, or a link to one that is missing: move it away"
            )
    return Destination(directory)


@contextmanager
def destination(given: Path) -> Iterator[Destination]:
    """Give what `find_destination` finds, made with the owner of what holds it; when the block fails, it goes again."""
    found = find_destination(given)
    made = []
    try:
        with os_errors(f"cannot make {found.directory}"):
            for path in _missing(found.directory):
                path.mkdir(mode=0o755)
                made.append(path)
                owner = path.parent.stat()
                os.chown(path, owner.st_uid, owner.st_gid)
        yield found
    except BaseException:
        with suppress(OSError):  # not empty: Plex or another process has begun to use it
            for path in reversed(made):
                path.rmdir()
        raise


def _spelled_out(directory: Path, missing: list[Path]) -> bool:
    """Whether what is *missing* are directories as Plex has them, or all of them stand in the name: then it is no slip."""
    whole = directory.absolute().parts[-len(_WHOLE) :] == _WHOLE
    return whole or all(path.name in _LAYOUT for path in missing)


def _missing(directory: Path) -> list[Path]:
    """Return *directory* and those above it that do not exist, the outermost first."""
    absolute = directory.absolute()
    return [path for path in (*reversed(absolute.parents), absolute) if not path.is_dir()]


def _vacant(given: Path) -> Path:
    if given.name == DATABASES.parts[0]:
        return given / DATABASES.name
    if given.name in {SERVER, APPLICATION_SUPPORT.name}:
        return PlexPaths.below(given).databases
    if given.name == DATABASES.name or not given.is_dir():
        return given
    places = [PlexPaths(given), *PlexPaths.candidates(given)]
    names = {path.name for path in given.iterdir() if not path.name.startswith(".")} - _NOT_COUNTED
    if any(name.startswith("com.plexapp.") for name in names):
        return given
    used = [place for place in places if place.preferences_xml.exists() or place.databases.parent.is_dir()]
    if used or names <= {APPLICATION_SUPPORT.parts[0], SERVER}:
        return (used or [place for place in places[1:] if place.root.is_dir()] or places[1:])[0].databases
    raise DatabaseError(
        f"{given} is not empty and has no Plex in it: name the directory that holds `{APPLICATION_SUPPORT.parts[0]}` or"
        f" `{DATABASES.parts[0]}`, an empty one, or the database itself ({given / LIBRARY})"
    )
