"""`plexsuper report`: what a run was, as one HTML file, as Markdown or as JSON."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from plexsuper.audience.files import is_no_file, replace_file
from plexsuper.audience.removed import with_all_removals
from plexsuper.cli.options import ConfigFile
from plexsuper.cli.recordings import recorded
from plexsuper.errors import SettingsError
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.report.facts import Price, as_json
from plexsuper.faces.report.markdown import markdown
from plexsuper.faces.report.page import html

app = typer.Typer(name="report", add_completion=False, rich_markup_mode=None)


@app.command()
def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE",
            help="The run, or a part of its id, or a file with its events; else the last run.",
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write it there; - is standard output, which is usual where that is no terminal.",
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(
            "--hourly-price", metavar="PRICE", help="What an hour of the machine costs, such as 0.57EUR."
        ),
    ] = None,
    as_data: Annotated[bool, typer.Option("--json", help="Write JSON instead of HTML.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown instead of HTML.")] = False,
    config: ConfigFile = None,
) -> None:
    """Write the report of a run: where its time went, what failed, what was removed, and what it cost."""
    if as_data and as_markdown:
        raise SettingsError("--json and --markdown contradict each other: leave one of them out")
    hourly = None if price is None else Price.read(price)
    chronicle = Chronicle()
    for envelope in recorded(run, config):
        chronicle.see(envelope)
    story = with_all_removals(chronicle.since())
    if as_data:
        text = json.dumps(as_json(story, hourly), indent=1, ensure_ascii=False) + "\n"
    else:
        text = markdown(story, hourly) if as_markdown else html(story, hourly)
    if out is None and not as_data and not as_markdown and sys.stdout.isatty():
        out = Path(f"plexsuper-{story['run']['id']}.html")  # nobody wants to read markup
    _write(text.encode("utf-8", "backslashreplace"), out)


def _write(content: bytes, out: Path | None) -> None:
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    fault = _pour(out, content) if is_no_file(out) else replace_file(out, content, mode=0o600)
    if fault:
        raise SettingsError(fault)
    typer.echo(f"{out} is written.", err=True)


def _pour(out: Path, content: bytes) -> str:
    """Write *content* into a device or a pipe, as with `-o /dev/stdout`; return what is wrong, or nothing."""
    try:
        out.write_bytes(content)
    except OSError as error:
        return f"{out} cannot be written: {error.strerror}"
    return ""
