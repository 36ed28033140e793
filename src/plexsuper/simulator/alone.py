"""A simulated server by itself, as its command line wants it: from the options to the exit code."""

import argparse
import json
import signal
import sqlite3
import sys
from pathlib import Path

import anyio

from plexsuper.errors import PlexsuperError
from plexsuper.simulator.definitions import Definition, guess_sections, read_definitions
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs, describe
from plexsuper.simulator.real import Setup, run_first_time, simulate

_DAMAGED = "Error: Unable to set up server: sqlite3_statement_backend::loadOne: {} (N4soci10soci_errorE)"


def carry_out(options: argparse.Namespace) -> int:
    """Do what the command line asks for; return the exit code."""
    if options.list_knobs:
        sys.stdout.write(describe() + "\n")
        return 0
    if options.first_run:
        run_first_time(_setup(options))
        return 0
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
        token=Account().token if options.token is None else options.token,
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
