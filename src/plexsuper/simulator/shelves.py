"""Small made-up libraries for worlds in memory: made once for each set of sections, then copied in a moment."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from plexsuper.kinds import SectionType
from plexsuper.simulator.definitions import AGENTS
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.library.holdings import Holdings
from plexsuper.simulator.library.naming import add_file
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.library.writer import transaction

EPOCH = 1_795_000_000.0
"""The Unix time at which a world starts: November 2026."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One section of a world: *known* items are in the library and on disk, *new* ones only on disk."""

    title: str
    type: SectionType
    known: int = 0
    new: int = 0
    root: str = ""

    @property
    def folder(self) -> str:
        """Where its files are."""
        return self.root or f"/media/{self.title}"

    def files(self) -> list[str]:
        """Return its files, the known ones first."""
        return [self._file(number) for number in range(self.known + self.new)]

    def _file(self, number: int) -> str:
        match self.type:
            case SectionType.MOVIE:
                return f"{self.folder}/Film {number} (2001)/Film {number} (2001).mkv"
            case SectionType.SHOW:
                show, episode = divmod(number, 10)
                return f"{self.folder}/Show {show}/Season 01/Show {show} - S01E{episode + 1:02d}.mkv"
            case SectionType.ARTIST:
                album, track = divmod(number, 10)
                return f"{self.folder}/Artist {album // 2}/Album {album}/{track + 1:02d} - Track {track + 1}.flac"
            case SectionType.PHOTO:
                album, photo = divmod(number, 20)
                return f"{self.folder}/Album {album}/Photo {photo}.jpg"


@cache
def _storage() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - only as a parent of safe names


@contextmanager
def copy_of_library(shelves: tuple[Shelf, ...]) -> Iterator[Path]:
    """Give a data directory of its own with a library of these sections; it goes with the block."""
    with tempfile.TemporaryDirectory(prefix="plexsuper-", dir=_storage()) as name:
        layout = Layout(Path(name))
        layout.databases.mkdir(parents=True)
        for file, content in _template(shelves).items():
            (layout.databases / file).write_bytes(content)
        yield Path(name)


@cache
def _template(shelves: tuple[Shelf, ...]) -> dict[str, bytes]:
    """Return the database files of a library with these sections; made once for each set of them."""
    folder = Path(tempfile.mkdtemp(prefix="plexsuper-", dir=_storage()))
    try:
        write_library(folder, shelves, made=int(EPOCH) - 86_400)
        return {file.name: file.read_bytes() for file in folder.iterdir()}
    finally:
        shutil.rmtree(folder)


def write_library(folder: Path, shelves: Iterable[Shelf], *, made: int, size: int = 1_000_000) -> None:
    """Create the databases of a library in *folder* that knows the known items of *shelves*.

    *made* is the Unix time at which they were added; every file has *size* bytes.
    """
    create_databases(folder)
    with (
        closing(connect_as_plex(folder / LIBRARY_DB)) as conn,
        closing(connect_as_plex(folder / BLOBS_DB)) as blobs,
    ):
        library = Holdings(conn, blobs, now=lambda: made)
        with transaction(conn):
            for shelf in shelves:
                agent, scanner = AGENTS[shelf.type]
                section = library.add_section(
                    title=shelf.title,
                    type=shelf.type,
                    agent=agent,
                    scanner=scanner,
                    language="en-US",
                    paths=[shelf.folder],
                )
                for file in shelf.files()[: shelf.known]:
                    add_file(library, section, shelf.type, file, root=shelf.folder, size=size)
