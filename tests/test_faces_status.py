"""The one line of a service says stage, section and phase in words."""

import pytest

from plexsuper import events as e
from plexsuper.faces.status import status
from plexsuper.state import Now
from plexsuper.terms import Outcome, Phase, SectionRef, SectionReport, Stage, Verdict

MOVIES, MUSIC = SectionRef(id=1, title="Movies"), SectionRef(id=2, title="Music")
BOTH = (MOVIES, MUSIC)
DONE = SectionReport(section=MOVIES, outcome=Outcome.DONE)
FAR = e.SectionPhaseProgressed(
    section=MUSIC, phase=Phase.SONIC, done=1234, total=2100, rate=35.0, eta=24.7, percent=58.7
)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Now(), "starting"),
        (Now(stage=Stage.SERVER), "server: waiting for Plex"),
        (Now(stage=Stage.SECTIONS, sections=BOTH), "sections: one section after another"),
        (Now(stage=Stage.SECTIONS, sections=BOTH, section=MOVIES), "Movies (1 of 2)"),
        (
            Now(stage=Stage.SECTIONS, sections=BOTH, reports=(DONE,), section=MUSIC, phase=Phase.SONIC),
            "Music (2 of 2), sonic analysis",
        ),
        (
            Now(
                stage=Stage.SECTIONS, sections=BOTH, reports=(DONE,), section=MUSIC, phase=Phase.SONIC,
                progress=FAR, mount="lost",
            ),
            "Music (2 of 2), sonic analysis: 58 %, 1,234 of 2,100, 35/s, ≈ 20 s; storage lost",
        ),
        (Now(stage=Stage.SERVER, section=MOVIES), "Movies; waiting for Plex"),
        (Now(verdict=Verdict.SET_ASIDE, mount="lost"), "finished, but sections were set aside"),
    ],
)  # fmt: skip
def test_where_a_run_stands(now, said):
    assert status(now) == said
