"""Who is in the example run: its two sections, and what became of each phase."""

from plexsuper.kinds import SectionType
from plexsuper.terms import (
    Counts,
    Outcome,
    Phase,
    PhaseReport,
    Section,
    SectionCounts,
    SectionRef,
    SectionReport,
    Statistics,
)

MOVIES = SectionRef(id=1, title="Movies")
MUSIC = SectionRef(id=2, title="Music")

MOVIES_SECTION = Section(
    id=1,
    title="Movies",
    type=SectionType.MOVIE,
    locations=("/media/Movies",),
    agent="tv.plex.agents.movie",
    scanner="Plex Movie",
    language="en-US",
)
MUSIC_SECTION = Section(id=2, title="Music", type=SectionType.ARTIST, locations=("/media/Music",))

SCAN = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=63.0, waited=2.1)
ANALYZE = PhaseReport(phase=Phase.ANALYZE, outcome=Outcome.DONE, seconds=421.5, waited=2.4)
SONIC = PhaseReport(
    phase=Phase.SONIC,
    outcome=Outcome.STALLED,
    seconds=3912.0,
    attempts=2,
    note="no sign of progress for 10 min",
)
MOVIES_REPORT = SectionReport(section=MOVIES, outcome=Outcome.DONE, phases=(SCAN, ANALYZE))
MUSIC_REPORT = SectionReport(
    section=MUSIC, outcome=Outcome.SET_ASIDE, phases=(SONIC,), reason="sonic analysis stalled twice"
)


def statistics(movies: int, trashed: int) -> Statistics:
    """Return those of a library with so many films, and so many in the trash."""
    music = Counts(artists=40, albums=112, tracks=1305, sonic=800)
    return Statistics(
        live=Counts(artists=40, albums=112, tracks=1305, sonic=800, movies=movies),
        trashed=Counts(movies=trashed),
        sections=(
            SectionCounts(
                section=1,
                title="Movies",
                live=Counts(movies=movies),
                trashed=Counts(movies=trashed),
                media=movies,
                analyzed=movies,
            ),
            SectionCounts(section=2, title="Music", live=music, trashed=Counts(), media=1305, analyzed=1305),
        ),
    )
