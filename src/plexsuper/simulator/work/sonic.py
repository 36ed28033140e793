"""Sonic analysis of music: started as a butler task, only with a Plex Pass, track after track.

Measured on real servers: it works through the whole backlog, also outside the maintenance window, and silently does
nothing without a Plex Pass or where the library has it switched off.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plexsuper.kinds import SONIC_MARK, MetadataType, SectionType
from plexsuper.simulator.activities import Activity
from plexsuper.simulator.core import Core
from plexsuper.simulator.library.writer import Section, transaction
from plexsuper.simulator.processes import ScannerDied, sonic_argv

SECTION_SETTING = "enableSonicAnalysis"
"""The switch in a music library's own settings; its real id is not known."""


class Sonic:
    """Analyses tracks that have no mark yet."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tried: set[int] = set()

    def backlog(self, limit: int | None = None) -> list[tuple[Section, int]]:
        """Return the living tracks without a mark, in the sections where that is not switched off.

        With *limit* only so many of each section.
        """
        core = self._core
        if not core.plex_pass:
            return []
        blocked = core.preferences.text("MusicAnalysisBehavior") == "never"
        if blocked and core.knobs.sonic_obeys_behaviour:
            return []
        found = []
        for section in core.library.sections():
            if section.type is not SectionType.ARTIST:
                continue
            if core.library.section_settings(section.id).get(SECTION_SETTING) == "0":
                continue
            tracks = core.library.conn.execute(
                "SELECT id FROM metadata_items WHERE library_section_id = ? AND metadata_type = ?"
                " AND deleted_at IS NULL AND coalesce(extra_data, '') NOT LIKE ? ORDER BY id LIMIT ?",
                (section.id, MetadataType.TRACK, f"%{SONIC_MARK}%", -1 if limit is None else limit),
            )
            found += [(section, row[0]) for row in tracks]
        return found

    async def run(self, activity: Activity, *, limit: int | None = None) -> None:
        """Analyse the backlog, or its first *limit* tracks."""
        core = self._core
        tracks = self.backlog(limit)[:limit]
        async with self._process():
            for number, (section, track) in enumerate(tracks):
                with core.truth.work("sonic", section=section.id, item=track):
                    await core.clock.sleep(core.vary(core.knobs.sonic_seconds))
                    if not self._fails(track):
                        self._mark(track)
                core.activities.progress(activity, number + 1, len(tracks))

    def _fails(self, track: int) -> bool:
        core = self._core
        if track in self._tried:
            return False
        self._tried.add(track)
        return bool(core.knobs.sonic_failures) and core.rng.random() < core.knobs.sonic_failures

    def _mark(self, track: int) -> None:
        core = self._core
        row = core.library.conn.execute(
            "SELECT changed_at, updated_at FROM metadata_items WHERE id = ?", (track,)
        ).fetchone()
        if row is None:
            return  # removed while it was analysed
        with transaction(core.library.conn):
            core.library.marks.mark_sonic(track)
            if not core.knobs.sonic_bumps:
                core.library.conn.execute(
                    "UPDATE metadata_items SET changed_at = ?, updated_at = ? WHERE id = ?", (*row, track)
                )

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[None]:
        if not self._core.knobs.sonic_process:
            yield
            return
        try:
            async with self._core.spawner.run(sonic_argv()):
                yield
        except ScannerDied as death:
            self._core.truth.record("sonic.died", code=death.code)
