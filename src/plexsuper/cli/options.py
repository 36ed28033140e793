"""The options that several commands share: one behaviour, one name, one help text (lesson L11)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from plexsuper.config import Settings

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file; else ./plexsuper.toml, else that in ~/.config/plexsuper, else in /etc/plexsuper.",
    ),
]
ProfileName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="local_quick, local_delta, cloud_standard or cloud_intensive."
    ),
]
SectionNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--section", metavar="NAME", help="A section to process, by name or id; repeat it for more. Else all."
    ),
]
Quick: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Try the set-up: scan only (no analysis, no sonic), with the pace of profile local_quick.",
    ),
]
Deep: TypeAlias = Annotated[
    bool, typer.Option("--deep", help="Walk every directory, also those that seem unchanged.")
]
Refresh: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Refresh the metadata of music before its sonic analysis (can take hours)."
    ),
]
NoSonic: TypeAlias = Annotated[
    bool, typer.Option("--no-sonic", help="Leave the sonic analysis of music out.")
]
EmptyTrash: TypeAlias = Annotated[
    bool,
    typer.Option("--empty-trash", help="Empty a section's trash when everything in it is really deleted."),
]
WhenIdle: TypeAlias = Annotated[
    bool, typer.Option("--when-idle", help="Wait until nobody watches anything before Plex is silenced.")
]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Start anew, even if an earlier run has not ended.")
]
NoGuard: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-guard", help="See what happens without the guard: a failing storage costs the library."
    ),
]
Events: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--events", metavar="FORMAT", help="auto (a live view on a terminal, else jsonl), jsonl or text."
    ),
]
Web: TypeAlias = Annotated[
    bool, typer.Option("--web", help="Serve a page that shows the run live (web.host, web.port).")
]


def settings_from(
    config: Path | None,
    *,
    profile: str | None = None,
    section: list[str] | None = None,
    quick: bool = False,
    deep: bool = False,
    refresh: bool = False,
    no_sonic: bool = False,
    dry_run: bool = False,
    empty_trash: bool = False,
    when_idle: bool = False,
    fresh: bool = False,
    guard: bool = True,
    events: str | None = None,
    web: bool = False,
) -> "Settings":
    """Return the settings with these flags over them; a flag that was not given says nothing."""
    from plexsuper.config import load_settings  # noqa: PLC0415 - pydantic: --help must not load it

    given: dict[tuple[str, ...], Any] = {
        ("profile",): profile,
        ("run", "sections"): section or None,
        ("run", "quick"): quick or None,
        ("run", "deep"): deep or None,
        ("run", "refresh"): refresh or None,
        ("run", "sonic"): False if no_sonic else None,
        ("run", "dry_run"): dry_run or None,
        ("run", "fresh"): fresh or None,
        ("guard", "empty_trash"): empty_trash or None,
        ("guard", "when_idle"): when_idle or None,
        ("guard", "enabled"): None if guard else False,
        ("events", "format"): events,
        ("web", "enabled"): web or None,
    }
    return load_settings(file=config, flags={key: value for key, value in given.items() if value is not None})
