"""The tables of the settings: what can be set, its meaning, and what it is when nobody sets it.

Every field's description is shown in the settings file that `plexsuper init` writes and in the documentation.
"""

from plexsuper.config.tables.faces import EventSettings, MetricsSettings, NotifySettings, WebSettings
from plexsuper.config.tables.library import GuardSettings, LibrarySettings
from plexsuper.config.tables.media import MediaSettings
from plexsuper.config.tables.plex import DockerSettings, PlexSettings
from plexsuper.config.tables.run import Budgets, RunSettings, Timing

__all__ = [
    "Budgets",
    "DockerSettings",
    "EventSettings",
    "GuardSettings",
    "LibrarySettings",
    "MediaSettings",
    "MetricsSettings",
    "NotifySettings",
    "PlexSettings",
    "RunSettings",
    "Timing",
    "WebSettings",
]
