"""The settings of a run: what can be set, from where it is read, and what is wrong with it."""

from plexsuper.config.findings import Finding, WrongSettings
from plexsuper.config.load import load_settings
from plexsuper.config.model import Settings
from plexsuper.config.tables import (
    Budgets,
    DockerSettings,
    EventSettings,
    LibrarySettings,
    MediaSettings,
    PlexSettings,
    RunSettings,
    Timing,
    WebSettings,
)

__all__ = [
    "Budgets",
    "DockerSettings",
    "EventSettings",
    "Finding",
    "LibrarySettings",
    "MediaSettings",
    "PlexSettings",
    "RunSettings",
    "Settings",
    "Timing",
    "WebSettings",
    "WrongSettings",
    "load_settings",
]
