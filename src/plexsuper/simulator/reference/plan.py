"""How large the reference library is and which sections it has."""

from dataclasses import dataclass

from plexsuper.kinds import SectionType

EXTRAS_PER_MOVIE = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """How many leaves and files a library has; `parts` counts every file, also second versions and extras."""

    movies: int
    episodes: int
    tracks: int
    photos: int
    parts: int

    @property
    def leaves(self) -> int:
        """The number of films, episodes, tracks and photos together."""
        return self.movies + self.episodes + self.tracks + self.photos

    @property
    def second_files(self) -> int:
        """The number of files that are a second version or a second part of a leaf."""
        return self.parts - self.leaves - self.movies * EXTRAS_PER_MOVIE

    def scaled(self, scale: float) -> "Counts":
        """Return these counts times *scale*, but at least two of each kind and a file for every leaf."""
        movies, episodes, tracks, photos = (
            max(2, round(n * scale)) for n in (self.movies, self.episodes, self.tracks, self.photos)
        )
        least = movies * (1 + EXTRAS_PER_MOVIE) + episodes + tracks + photos
        return Counts(movies, episodes, tracks, photos, parts=max(least, round(self.parts * scale)))

    def of(self, kind: SectionType) -> int:
        """Return the number of leaves in the sections of *kind*."""
        match kind:
            case SectionType.MOVIE:
                return self.movies
            case SectionType.SHOW:
                return self.episodes
            case SectionType.ARTIST:
                return self.tracks
            case SectionType.PHOTO:
                return self.photos


REFERENCE = Counts(movies=409, episodes=938, tracks=456_534, photos=28_338, parts=508_946)
"""The library this project was written for, a database of 15 GB."""


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """One of the two sections of a type; the smaller one gets *share* of the leaves, the other the rest."""

    title: str
    type: SectionType
    agent: str
    scanner: str
    share: float
    folders: tuple[str, ...]

    def leaves(self, total: int) -> int:
        """Return how many of *total* leaves lie in this section: at least one."""
        if self.share < 0.5:
            return max(1, round(total * self.share))
        return total - max(1, round(total * (1 - self.share)))


_MOVIE = (SectionType.MOVIE, "tv.plex.agents.movie", "Plex Movie")
_SHOW = (SectionType.SHOW, "tv.plex.agents.series", "Plex TV Series")
_MUSIC = (SectionType.ARTIST, "tv.plex.agents.music", "Plex Music")
_PHOTO = (SectionType.PHOTO, "com.plexapp.agents.none", "Plex Photo Scanner")

SECTIONS = (
    SectionPlan("Movies", *_MOVIE, 0.8, ("Movies", "Movies 4K")),
    SectionPlan("Documentaries", *_MOVIE, 0.2, ("Documentaries",)),
    SectionPlan("TV", *_SHOW, 0.75, ("TV",)),
    SectionPlan("Séries d'enfance", *_SHOW, 0.25, ("TVShows",)),
    SectionPlan("Music", *_MUSIC, 0.9, ("Music",)),
    SectionPlan("Classical", *_MUSIC, 0.1, ("Classical",)),
    SectionPlan("Photos", *_PHOTO, 0.8, ("Photos",)),
    SectionPlan("Camera", *_PHOTO, 0.2, ("Camera Uploads",)),
)
"""The folder `TV` next to `TVShows`, a section with two roots and a quote in a title catch careless tools."""
