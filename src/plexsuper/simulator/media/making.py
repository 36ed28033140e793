"""A small media tree of real files, laid out as Plex expects, with the names that break careless tools."""

import os
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from plexsuper.kinds import SectionType
from plexsuper.simulator.library.titles import Titles, on_disk
from plexsuper.simulator.media.film import mp4
from plexsuper.simulator.media.picture import jpeg
from plexsuper.simulator.media.sound import flac, mp3

_EPISODES_PER_SEASON = 3
_SEASONS_PER_SHOW = 2
_TRACKS_PER_ALBUM = 4
_ALBUMS_PER_ARTIST = 2
_PHOTOS_PER_ALBUM = 4
_SUBTITLE = "1\n00:00:00,000 --> 00:00:00,900\n…\n"
_MB = 1_000_000
_REAL_SIZES = {".mp4": 1_400 * _MB, ".flac": 28 * _MB, ".mp3": 9 * _MB, ".jpg": 3 * _MB}
_MODIFIED = 1_735_689_600  # 2025-01-01; a fixed date makes equal trees


@dataclass(frozen=True, slots=True)
class MediaSection:
    """What a library section for one part of the tree needs; *files* are its media files in the order of creation."""

    title: str
    type: SectionType
    agent: str
    scanner: str
    folder: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class MediaTree:
    """A generated tree; sections without files are left out."""

    root: Path
    sections: tuple[MediaSection, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Every media file of every section."""
        return tuple(file for section in self.sections for file in section.files)


def make_media_tree(
    root: Path,
    *,
    movies: int = 9,
    episodes: int = 12,
    tracks: int = 16,
    photos: int = 12,
    seed: int,
    sparse: bool = False,
) -> MediaTree:
    """Write films, episodes, tracks and photos below *root*; equal arguments write equal files.

    Every file is whole and valid (MP4, FLAC, MP3, JPEG) and has at most a few kB; with *sparse* it is stretched by
    a hole to a realistic size, which costs no disk space. Some films have a subtitle file next to them.
    """
    maker = _Maker(root, random.Random(seed), sparse=sparse)  # noqa: S311 # made-up data that must be the same every time
    made = (
        MediaSection(
            "Movies", SectionType.MOVIE, "tv.plex.agents.movie", "Plex Movie", *maker.movies(movies)
        ),
        MediaSection(
            "TV Shows", SectionType.SHOW, "tv.plex.agents.series", "Plex TV Series", *maker.shows(episodes)
        ),
        MediaSection("Music", SectionType.ARTIST, "tv.plex.agents.music", "Plex Music", *maker.music(tracks)),
        MediaSection(
            "Photos",
            SectionType.PHOTO,
            "com.plexapp.agents.none",
            "Plex Photo Scanner",
            *maker.photos(photos),
        ),
    )
    return MediaTree(root, tuple(section for section in made if section.files))


def make_sparse_files(library_db: Path) -> int:
    """Create each file that the library database names, as a hole of its recorded size; return how many.

    Files that exist are left alone. Meant for a reference library whose media root is an empty directory.
    """
    with closing(sqlite3.connect(f"file:{library_db}?mode=ro", uri=True)) as conn:
        conn.text_factory = os.fsdecode
        rows = conn.execute(
            "SELECT file, size FROM media_parts WHERE file <> '' AND deleted_at IS NULL"
        ).fetchall()
    created = 0
    for file, size in rows:
        path = Path(file)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, size)
            created += 1
    return created


class _Maker:
    def __init__(self, root: Path, rng: random.Random, *, sparse: bool) -> None:
        self._root = root
        self._rng = rng
        self._titles = Titles(rng, odd_every=2)
        self._sparse = sparse

    def movies(self, amount: int) -> tuple[Path, tuple[Path, ...]]:
        folder = self._root / "Movies"
        files = []
        for index in range(amount):
            name = f"{on_disk(self._titles.unique())} ({self._rng.randint(1950, 2025)})"
            files.append(self._write(folder / name / f"{name}.mp4", self._film()))
            if index % 3 == 0:
                self._write(folder / name / f"{name}.fr.srt", _SUBTITLE.encode())
        return folder, tuple(files)

    def shows(self, amount: int) -> tuple[Path, tuple[Path, ...]]:
        folder = self._root / "TV Shows"
        files: list[Path] = []
        while len(files) < amount:
            show = on_disk(self._titles.unique())
            for number in range(min(_EPISODES_PER_SEASON * _SEASONS_PER_SHOW, amount - len(files))):
                season, episode = number // _EPISODES_PER_SEASON + 1, number % _EPISODES_PER_SEASON + 1
                name = f"{show} - s{season:02d}e{episode:02d} - {on_disk(self._titles.title())}.mp4"
                files.append(self._write(folder / show / f"Season {season:02d}" / name, self._film()))
        return folder, tuple(files)

    def music(self, amount: int) -> tuple[Path, tuple[Path, ...]]:
        folder = self._root / "Music"
        files: list[Path] = []
        albums = 0
        artist = ""
        while len(files) < amount:
            if albums % _ALBUMS_PER_ARTIST == 0:
                artist = self._titles.unique()
            albums += 1
            album = self._titles.unique()
            for index in range(1, min(_TRACKS_PER_ALBUM, amount - len(files)) + 1):
                title = self._titles.title()
                tags = {"title": title, "artist": artist, "album": album, "tracknumber": str(index)}
                lossless = albums % 2 == 1
                name = f"{index:02d} - {on_disk(title)}.{'flac' if lossless else 'mp3'}"
                content = flac(self._rng.randint(-9_000, 9_000), tags) if lossless else mp3(tags)
                files.append(self._write(folder / on_disk(artist) / on_disk(album) / name, content))
        return folder, tuple(files)

    def photos(self, amount: int) -> tuple[Path, tuple[Path, ...]]:
        folder = self._root / "Photos"
        files: list[Path] = []
        while len(files) < amount:
            album = folder / str(self._rng.randint(2015, 2025)) / on_disk(self._titles.unique())
            for _ in range(min(_PHOTOS_PER_ALBUM, amount - len(files))):
                files.append(self._write(album / f"IMG_{len(files) + 1:04d}.jpg", self._picture()))
        return folder, tuple(files)

    def _picture(self) -> bytes:
        return jpeg(*(self._rng.randrange(256) for _ in range(3)))

    def _film(self) -> bytes:
        return mp4(self._picture(), duration=self._rng.randint(500, 5_000))

    def _write(self, path: Path, content: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        size = _REAL_SIZES.get(path.suffix)
        if self._sparse and size is not None:
            os.truncate(path, size + self._rng.randrange(size // 2))
        os.utime(path, (_MODIFIED, _MODIFIED))
        return path
