"""What stands in the reference library: films, shows, music and photos with plausible proportions."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

from plexsuper.kinds import SONIC_MARK, MetadataType, SectionType
from plexsuper.simulator.library.catalogue import Add, Catalogue, Place
from plexsuper.simulator.library.extras import add_placeholders, add_trailer
from plexsuper.simulator.library.rows import Tag, Tagging
from plexsuper.simulator.library.technical import technical
from plexsuper.simulator.library.titles import Titles, on_disk
from plexsuper.simulator.library.values import encode_extra_data, guid
from plexsuper.simulator.reference.plan import EXTRAS_PER_MOVIE, SECTIONS, Counts

EPOCH = 1_767_225_600
"""The newest time in the library, 2026-01-01: a generator has no clock."""

_SPAN = 10 * 365 * 86_400
_TRACKS_PER_ALBUM = 12
_ALBUMS_PER_ARTIST = 5
_EPISODES_PER_SEASON = 12
_SEASONS_PER_SHOW = 2
_PHOTOS_PER_ALBUM = 40
_SAMPLE_EVERY = 20
_SUBTITLE_EVERY = 3
_GENRES = (
    "Ambient",
    "Chanson",
    "Comedy",
    "Drama",
    "Electronic",
    "Folk",
    "Jazz",
    "Rock",
    "Science Fiction",
    "Thriller",
)
_MOODS = ("Brooding", "Calm", "Dreamy", "Energetic", "Playful", "Reflective", "Tense", "Warm")
_GENRE_TAG = 1
_MOOD_TAG = 300
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the watch history needs to know about a film, an episode or a track."""

    item_id: int
    section_id: int
    kind: MetadataType
    guid: str
    title: str


class Content:
    """Make the rows of a whole library; *sonic* is the share of tracks with a sonic analysis."""

    def __init__(
        self, add: Add, counts: Counts, *, rng: random.Random, media_root: str, sonic: float
    ) -> None:
        self._add = add
        self._counts = counts
        self._rng = rng
        self._root = media_root.rstrip("/")
        self._sonic = sonic
        self._titles = Titles(rng)
        self._time = EPOCH - _SPAN
        self._changes = count(1)
        self._catalogue = Catalogue(add, now=lambda: self._time, next_change=lambda: next(self._changes))
        self._leaves_done = 0
        self._tags: dict[tuple[int, str], int] = {}
        self.sample: list[Leaf] = []
        """Every twentieth leaf, for a watch history."""
        self.sonic_tracks: list[int] = []
        """The tracks marked as sonically analysed; each needs its vector in the blobs database."""

    def fill(self) -> Iterator[float]:
        """Make all rows; yield the finished share (0 to 1) after each section."""
        fillers = {
            SectionType.MOVIE: self._movies,
            SectionType.SHOW: self._shows,
            SectionType.ARTIST: self._music,
            SectionType.PHOTO: self._photos,
        }
        for plan in SECTIONS:
            section = self._catalogue.add_section(
                title=plan.title,
                type=plan.type,
                agent=plan.agent,
                scanner=plan.scanner,
                language="en-US",
                paths=[f"{self._root}/{folder}" for folder in plan.folders],
            )
            fillers[plan.type](section, plan.leaves(self._counts.of(plan.type)))
            yield self._leaves_done / self._counts.leaves
        add_placeholders(self._catalogue)

    def _movies(self, section: int, leaves: int) -> None:
        for _ in range(leaves):
            title, year = self._titles.unique(), self._rng.randint(1950, 2025)
            place = self._rng.choice(self._catalogue.places(section))
            name = f"{on_disk(title)} ({year})"
            item = self._leaf(
                place,
                MetadataType.MOVIE,
                title,
                f"{place.root}/{name}/{name}.mkv",
                4_000 * _MB,
                year=year,
                **self._rich(),
            )
            self._genre(item)
            for number in range(1, EXTRAS_PER_MOVIE + 1):
                add_trailer(self._catalogue, title, number, at=self._time)

    def _shows(self, section: int, leaves: int) -> None:
        (place,) = self._catalogue.places(section)
        for in_show in _chunks(leaves, _EPISODES_PER_SEASON * _SEASONS_PER_SHOW):
            title = self._titles.unique()
            show = self._catalogue.add_item(section, MetadataType.SHOW, title, title, **self._rich())
            self._genre(show)
            for number, in_season in enumerate(_chunks(in_show, _EPISODES_PER_SEASON), start=1):
                season = self._catalogue.add_item(
                    section,
                    MetadataType.SEASON,
                    f"Season {number}",
                    title,
                    str(number),
                    parent=show,
                    index_=number,
                )
                folder = f"{place.root}/{on_disk(title)}/Season {number:02d}"
                for index in range(1, in_season + 1):
                    name = self._titles.title()
                    file = f"{folder}/{on_disk(title)} - s{number:02d}e{index:02d} - {on_disk(name)}.mkv"
                    self._leaf(
                        place, MetadataType.EPISODE, name, file, 700 * _MB, parent=season, index_=index
                    )

    def _music(self, section: int, leaves: int) -> None:
        (place,) = self._catalogue.places(section)
        for by_artist in _chunks(leaves, _TRACKS_PER_ALBUM * _ALBUMS_PER_ARTIST):
            name = self._titles.unique()
            artist = self._catalogue.add_item(section, MetadataType.ARTIST, name, name, **self._rich())
            for in_album in _chunks(by_artist, _TRACKS_PER_ALBUM):
                title, year = self._titles.unique(), self._rng.randint(1950, 2025)
                album = self._catalogue.add_item(
                    section, MetadataType.ALBUM, title, name, title, parent=artist, year=year, **self._rich()
                )
                self._genre(album)
                self._tracks(place, album, f"{place.root}/{on_disk(name)}/{on_disk(title)}", in_album)

    def _tracks(self, place: Place, album: int, folder: str, tracks: int) -> None:
        suffix, size = self._rng.choice(((".flac", 28 * _MB), (".mp3", 9 * _MB)))
        for index in range(1, tracks + 1):
            title = self._titles.title()
            analysed = self._rng.random() < self._sonic
            extra = encode_extra_data({SONIC_MARK: "1"}) if analysed else None
            file = f"{folder}/{index:02d} - {on_disk(title)}{suffix}"
            more = {"parent": album, "index_": index, "extra_data": extra, "duration": 240_000}
            track = self._leaf(place, MetadataType.TRACK, title, file, size, **more)
            self._tag(track, _MOOD_TAG, self._rng.choice(_MOODS))
            if analysed:
                self.sonic_tracks.append(track)

    def _photos(self, section: int, leaves: int) -> None:
        (place,) = self._catalogue.places(section)
        numbers = count(1)
        for in_album in _chunks(leaves, _PHOTOS_PER_ALBUM):
            title, year = self._titles.unique(), self._rng.randint(2001, 2025)
            album = self._catalogue.add_item(section, MetadataType.PHOTO_ALBUM, title, title)
            for _ in range(in_album):
                name = f"IMG_{next(numbers):04d}"
                file = f"{place.root}/{year}/{on_disk(title)}/{name}.jpg"
                self._leaf(place, MetadataType.PHOTO, name, file, 3 * _MB, parent=album, year=year)

    def _leaf(self, place: Place, kind: MetadataType, title: str, file: str, size: int, **more: Any) -> int:
        self._time = EPOCH - _SPAN + _SPAN * self._leaves_done // self._counts.leaves
        second = self._has_second_file()
        versions = 2 if second and self._leaves_done % 2 else 1
        item = self._catalogue.add_item(
            place.section_id, kind, title, file, media_item_count=versions, refreshed_at=self._time, **more
        )
        version, part = self._file(place, item, file, size)
        if second and versions == 1:
            stem, _, suffix = file.rpartition(".")
            self._catalogue.add_part(
                place, version, f"{stem} - part2.{suffix}", size, analysed=technical(file)
            )
        elif second:
            stem, _, suffix = file.rpartition(".")
            self._file(place, item, f"{stem} [2].{suffix}", size // 2)
        if kind in {MetadataType.MOVIE, MetadataType.EPISODE} and self._leaves_done % _SUBTITLE_EVERY == 0:
            self._catalogue.add_sidecar_subtitle(version, part, file.rpartition(".")[0] + ".fr.srt", "fra")
        if self._leaves_done % _SAMPLE_EVERY == 0:
            self.sample.append(Leaf(item, place.section_id, kind, guid(kind, file), title))
        self._leaves_done += 1
        return item

    def _file(self, place: Place, item: int, file: str, size: int) -> tuple[int, int]:
        size += self._rng.randrange(size // 2)
        found = technical(file)
        hints = "name=" + quote(file.rpartition("/")[2])
        version = self._catalogue.add_version(place, item, file, hints=hints, analysed=found)
        return version, self._catalogue.add_part(place, version, file, size, analysed=found)

    def _has_second_file(self) -> bool:
        # spreads them evenly and comes out exactly
        extra, leaves, done = self._counts.second_files, self._counts.leaves, self._leaves_done
        return extra * done // leaves != extra * (done + 1) // leaves

    def _rich(self) -> dict[str, Any]:
        number = self._rng.getrandbits(160)
        return {
            "summary": self._titles.sentence(40),
            "studio": self._titles.sentence(2),
            "rating": round(self._rng.uniform(4, 9), 1),
            "user_thumb_url": f"metadata://posters/tv.plex.agents_{number:040x}",
            "user_art_url": f"metadata://art/tv.plex.agents_{number:040x}",
            "tags_genre": self._rng.choice(_GENRES),
            "extra_data": encode_extra_data({"at:remoteId": f"{number:040x}"[:24], "pr:locked": "0"}),
        }

    def _tag(self, item: int, tag_type: int, tag: str) -> None:
        tag_id = self._tags.get((tag_type, tag))
        if tag_id is None:
            tag_id = self._tags[tag_type, tag] = self._add(Tag(None, tag, tag_type, self._time, self._time))
        self._add(Tagging(None, item, tag_id, self._time, index_=0))

    def _genre(self, item: int) -> None:
        self._tag(item, _GENRE_TAG, self._rng.choice(_GENRES))


def _chunks(total: int, size: int) -> Iterator[int]:
    while total > 0:
        yield min(size, total)
        total -= size
