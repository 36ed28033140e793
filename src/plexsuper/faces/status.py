"""Where a run stands on one line, for the one who started it as a service (`systemctl status`)."""

from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import DOES, MOUNT, PHASES, STAGES, VERDICTS
from plexsuper.faces.words.sections import progress
from plexsuper.state import Now
from plexsuper.terms import Stage


def status(now: Now) -> str:
    """Return stage, section and phase in words: `Movies (2 of 4), analysis: 58 %, 1,234 of 2,100`."""
    parts = [_standing(now)]
    if now.mount in {"suspected", "lost"} and now.verdict is None:
        parts.append(f"storage {MOUNT[now.mount]}")
    return plain("; ".join(parts))


def _standing(now: Now) -> str:
    if now.verdict is not None:
        return VERDICTS[now.verdict]
    if now.section is not None:
        return _section(now)
    if now.stage is None:
        return "starting"
    return f"{STAGES[now.stage]}: {DOES[now.stage]}"


def _section(now: Now) -> str:
    assert now.section is not None
    place = f" ({len(now.reports) + 1} of {len(now.sections)})" if now.sections else ""
    where = f"{now.section.title}{place}"
    if now.phase is not None:
        where = f"{where}, {PHASES[now.phase]}"
    elif now.stage not in {None, Stage.SECTIONS}:
        where = f"{where}; {DOES[now.stage]}"  # the server is started anew, say
    return where if now.progress is None else f"{where}: {progress(now.progress)}"
