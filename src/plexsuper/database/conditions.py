"""When Plex is through with a row of the library, as conditions in SQL.

They stand in one place, so that all who count or name what is done mean the same. A section is asked for with a `+`
before any other column of the condition: without it the planner may find the rows by that column's index, as almost all
are live and most are tracks, and read the whole library for one section. Its statistics hold averages, or nothing yet.
"""

from typing import Final

from plexsuper.kinds import SONIC_MARK

ANALYSED: Final = "coalesce(media_items.media_analysis_version, 0) > 0"
"""The media analysis is through with it. A version below 0 is a tool's mark for a broken file: not analysed."""

SONIC: Final = f"coalesce(instr(metadata_items.extra_data, '{SONIC_MARK}'), 0) > 0"
"""The sonic analysis is through with it, if it is a track."""
