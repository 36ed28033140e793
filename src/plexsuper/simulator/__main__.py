"""Run a simulated Plex server by itself: `python -m plexsuper.simulator --data DIR --media DIR --port N`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from plexsuper.simulator.layout import SERVER, SUPPORT_DIR, Layout
from plexsuper.simulator.work import scanner_child

_HANDED_OVER = "PLEXSUPER_SIMULATOR_ARGV"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    The process replaces itself once, so that everybody sees it as Plex: its command line is then exactly
    `/usr/lib/plexmediaserver/Plex Media Server`.
    """
    if handed := os.environ.pop(_HANDED_OVER, None):
        scanner_child.rename([SERVER], "Plex Media Server")
        argv = json.loads(handed)
    options = _parser().parse_args(argv)
    as_itself = options.plain or options.first_run or options.list_knobs
    if handed is None and not as_itself and Path("/proc/self/mem").exists():
        _become_plex(sys.argv[1:] if argv is None else argv, Layout(options.data.resolve()))
    from plexsuper.simulator.alone import carry_out  # noqa: PLC0415 - whoever replaces itself must not load it twice

    return carry_out(options)


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
    parser.add_argument("--token", help="the token of the claimed server")
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
