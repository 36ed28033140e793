"""`plexsuper demo`: a whole run against the embedded Plex."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from plexsuper.cli.options import Events
from plexsuper.errors import SettingsError

if TYPE_CHECKING:
    from plexsuper.faces.face import Format

_FAULTS = (
    "mount-death",
    "hung",
    "unmounted",
    "unreadable",
    "vanished",
    "emptied",
)  # demo_faults.FAULTS, unloaded


def demo(
    *,
    library: Annotated[
        str,
        typer.Option("--library", metavar="SIZE", help="small (real files), or reference (a huge database)."),
    ] = "small",
    events: Events = "auto",
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Work in this directory, and keep it.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory.")] = False,
    fault: Annotated[
        str | None,
        typer.Option("--fault", metavar="NAME", help=f"Let storage fail in a scan: {', '.join(_FAULTS)}."),
    ] = None,
    no_guard: Annotated[
        bool, typer.Option("--no-guard", help="Without the guard the fault costs what it costs.")
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Serve its page while it goes on; the address is printed first.")
    ] = False,
) -> None:
    """Show a whole run against the embedded Plex."""
    wrong = [
        f"{flag}: {value!r} is not one of {', '.join(choices)}"
        for flag, value, choices in (
            ("--library", library, ("small", "reference")),
            ("--events", events, ("auto", "jsonl", "text")),
        )
        if value not in choices
    ]
    if fault not in (None, *_FAULTS):
        wrong.append(f"--fault: {fault!r} is not one of {', '.join(_FAULTS)}")
    if fault is not None and library != "small":
        wrong.append("--fault brings a library of its own: leave --library out")
    if no_guard and fault is None:
        wrong.append("--no-guard shows nothing without a --fault")
    if data is not None and keep:
        wrong.append("--keep is for the temporary directory: with --data everything is kept anyway")
    if data is not None and data.exists() and not data.is_dir():
        wrong.append(f"--data: {data} is not a directory")
    if wrong:
        raise SettingsError("\n".join(wrong))
    from plexsuper.demo import run_demo  # noqa: PLC0415 - the simulator: --help must not load it

    raise typer.Exit(
        run_demo(
            library=library,
            events=cast("Format", events),
            data=data,
            keep=keep,
            fault=fault,
            guarded=not no_guard,
            web=web,
        )
    )
