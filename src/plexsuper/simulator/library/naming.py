"""What a file's name and place say about it, for each type of section: film, episode, track or photo."""

import re
from pathlib import PurePosixPath

from plexsuper.kinds import SectionType
from plexsuper.simulator.library.writer import LibraryWriter

_YEAR = re.compile(r"^(?P<title>.+?)\s*\((?P<year>\d{4})\)")
_EPISODE = re.compile(r"[sS](?P<season>\d{1,3})[ ._-]*[eE](?P<episode>\d{1,4})(?:[ ._-]+(?P<title>.+))?")
_NUMBER = re.compile(r"^(?P<index>\d{1,3})[ ._-]+(?P<title>.+)$")


def add_file(
    library: LibraryWriter, section: int, kind: SectionType, file: str, *, root: str, size: int
) -> int:
    """Add *file*, which lies below the location *root*, to a section of *kind*; return the item's id."""
    path = PurePosixPath(file)
    folders = path.relative_to(root).parts[:-1]
    match kind:
        case SectionType.MOVIE:
            found = _YEAR.match(path.stem) or (_YEAR.match(folders[-1]) if folders else None)
            if found:
                return library.add_movie(section, file, size, title=found["title"], year=int(found["year"]))
            return library.add_movie(section, file, size, title=path.stem)
        case SectionType.SHOW:
            return _add_episode(library, section, file, size, folders)
        case SectionType.ARTIST:
            return _add_track(library, section, file, size, folders)
        case SectionType.PHOTO:
            album = folders[-1] if folders else PurePosixPath(root).name
            return library.add_photo(section, file, size, album=album, title=path.stem)


def _add_episode(library: LibraryWriter, section: int, file: str, size: int, folders: tuple[str, ...]) -> int:
    stem = PurePosixPath(file).stem
    found = _EPISODE.search(stem)
    year = _YEAR.match(folders[0]) if folders else None
    show = year["title"] if year else folders[0] if folders else stem.split(" - ")[0]
    if not found:
        return library.add_episode(section, file, size, show=show, season=0, episode=1, title=stem)
    episode = int(found["episode"])
    return library.add_episode(
        section,
        file,
        size,
        show=show,
        season=int(found["season"]),
        episode=episode,
        title=found["title"] or f"Episode {episode}",
    )


def _add_track(library: LibraryWriter, section: int, file: str, size: int, folders: tuple[str, ...]) -> int:
    stem = PurePosixPath(file).stem
    found = _NUMBER.match(stem)
    return library.add_track(
        section,
        file,
        size,
        artist=folders[0] if folders else "Unknown Artist",
        album=folders[1] if len(folders) > 1 else "Unknown Album",
        index=int(found["index"]) if found else 0,
        title=found["title"] if found else stem,
    )
