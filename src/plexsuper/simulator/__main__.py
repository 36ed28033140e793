"""Run a simulated Plex server by itself: `python -m plexsuper.simulator --data DIR --media DIR --port N`."""

import argparse
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import anyio

from plexsuper.errors import PlexsuperError
from plexsuper.simulator.definitions import Definition, guess_sections, read_definitions
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs, describe
from plexsuper.simulator.layout import SERVER, SUPPORT_DIR, Layout
from plexsuper.simulator.real import Setup, run_first_time, simulate
from plexsuper.simulator.work import scanner_child

_HANDED_OVER = "PLEXSUPER_SIMULATOR_ARGV"
_DAMAGED = "Error: Unable to set up server: sqlite3_statement_backend::loadOne: {} (N4soci10soci_errorE)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    The process replaces itself once, so that everybody sees it as Plex: its command line is then exactly
    `/usr/lib/plexmediaserver/Plex Media Server`.
    """
    if handed := os.environ.pop(_HANDED_OVER, None):
        scanner_child.rename([SERVER], "Plex Media Server")
        argv = json.loads(handed)
    options = _parser().parse_args(argv)
    if options.list_knobs:
        sys.stdout.write(describe() + "\n")
        return 0
    if options.first_run:
        run_first_time(_setup(options))
        return 0
    if handed is None and not options.plain and Path("/proc/self/mem").exists():
        _become_plex(sys.argv[1:] if argv is None else argv, Layout(options.data.resolve()))
    try:
        return anyio.run(_run, _setup(options))
    except (PlexsuperError, sqlite3.DatabaseError, BaseExceptionGroup) as error:
        return _failed(error)


def _failed(error: BaseException) -> int:
    """Say why the server ended; a damaged database in the words of Plex."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if "malformed" in str(error) or isinstance(error, sqlite3.DatabaseError):
        sys.stderr.write(f"{_DAMAGED.format(str(error).rpartition(': ')[2])}\n")
        return 255
    if not isinstance(error, PlexsuperError):
        raise error
    sys.stderr.write(f"plexsuper.simulator: {error}\n")
    return int(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="plexsuper.simulator", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--data", type=Path, default=Path("plex-data"), help="what is /config in the container"
    )
    parser.add_argument("--media", type=Path, help="folder of media folders, for --sections auto")
    parser.add_argument("--port", type=int, default=32400)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--sections", metavar="FILE|auto|none", default="none", help="sections of a new library"
    )
    parser.add_argument("--claimed", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--unclaimed", dest="claimed", action="store_false")
    parser.add_argument("--pass", dest="plex_pass", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--token", default=Account().token, help="the token of the claimed server")
    parser.add_argument(
        "--claim", default=os.environ.get("PLEX_CLAIM", ""), help="claim token (or PLEX_CLAIM)"
    )
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="see --list-knobs")
    parser.add_argument("--knobs", type=Path, metavar="FILE", help="JSON object of knobs")
    parser.add_argument(
        "--restart-at", type=float, metavar="PERCENT", help="crash in the first scan, come back"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-scale", type=float, default=1.0, help="how many times faster than real")
    parser.add_argument(
        "--plain", action="store_true", help="keep the own command line, do not look like Plex"
    )
    parser.add_argument(
        "--service",
        action="store_true",
        help="scripts of a container start it and print the container's lines",
    )
    parser.add_argument(
        "--first-run", action="store_true", help="do what the container does before the first start, and end"
    )
    parser.add_argument("--list-knobs", action="store_true")
    return parser


def _setup(options: argparse.Namespace) -> Setup:
    knobs = Knobs.parse(options.knob)
    if options.knobs:
        given = json.loads(options.knobs.read_text(encoding="utf-8"))
        knobs = Knobs.load(given | dict(pair.split("=", 1) for pair in options.knob))
    if options.restart_at is not None:
        knobs = knobs.but(crash_in_scan=1, crash_times=1, crash_at=options.restart_at)
    sections: tuple[Definition, ...] = ()
    match options.sections:
        case "none":
            pass
        case "auto":
            sections = guess_sections(options.media) if options.media else ()
        case file:
            sections = read_definitions(Path(file))
    account = Account(
        claimed=options.claimed and not options.claim,
        plex_pass=options.plex_pass,
        token=options.token,
        claim=options.claim,
    )
    return Setup(
        data=options.data,
        port=options.port,
        host=options.host,
        sections=sections,
        knobs=knobs,
        account=account,
        seed=options.seed,
        scale=options.time_scale,
        service=options.service,
    )


async def _run(setup: Setup) -> int:
    code = 0
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                nonlocal code
                code = await simulate(setup)
                tasks.cancel_scope.cancel()

            tasks.start_soon(run)
            async for _ in signals:
                tasks.cancel_scope.cancel()
    return code


def _become_plex(argv: Sequence[str], layout: Layout) -> NoReturn:
    own = ["p", "-m", "plexsuper.simulator"]
    pad = scanner_child.padding(own, [SERVER])
    environment = {
        **os.environ,
        _HANDED_OVER: json.dumps(list(argv)),
        SUPPORT_DIR: str(layout.support.parent),
        # Under a false name Python cannot find its own parts: tell it where they are
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    sys.stdout.flush()
    os.execve("/proc/self/exe", [*own, pad or ""], environment)  # noqa: S606 - ourselves


if __name__ == "__main__":
    sys.exit(main())
