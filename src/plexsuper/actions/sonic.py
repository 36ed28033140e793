"""Sonic analysis of the music: started as the butler task it is, never forced (lessons L18, F03)."""

from typing import Final

from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerError

TASK: Final = "MusicAnalysis"
"""The butler task of sonic analysis; `DeepMediaAnalysis` is another one, for video (lesson L22)."""

PREFERENCE: Final = "MusicAnalysisBehavior"
WORKING: Final = "scheduled"
"""The value of the preference for as long as the task runs."""


async def start_sonic(plex: Plex) -> None:
    """Let Plex analyse music, then start the task; it works through the whole backlog at once.

    The preference was silenced for the scans (lesson L22). Whether `never` would also block a task that is
    asked for is not known for every version, so it is allowed for as long as the task runs.
    """
    if PREFERENCE in await plex.preferences():
        await plex.set_preferences({PREFERENCE: WORKING})
    await plex.start_butler(TASK)


async def stop_sonic(plex: Plex) -> None:
    """Stop the task and silence it again."""
    await plex.stop_butler(TASK)
    await silence_sonic(plex)


async def silence_sonic(plex: Plex) -> None:
    """Silence the music analysis again once it is through; raise `ServerError` if Plex does not obey."""
    preference = (await plex.preferences()).get(PREFERENCE)
    if preference is None:
        return
    await plex.set_preferences({PREFERENCE: "never"})
    if (await plex.preferences())[PREFERENCE].value != "never":
        raise ServerError(f"Plex did not take {PREFERENCE}=never; set it in Plex's settings and start again")
