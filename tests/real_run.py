"""Runs `plexsuper run` as a process of its own, against a simulated Plex that is one as well."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real_simulator import PATIENCE, TOKEN

Line = dict[str, Any]

FAST = {"quiet_window": 0.5, "poll_every": 2.0}
"""The pauses of a server that lives eight times faster are shorter, too."""


def toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return *tables* as TOML: texts, numbers, truth values and lists of texts are written as in JSON."""
    lines: list[str] = []
    for table, values in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


@dataclass
class RealRun:
    """A run as a process; its standard output and error go to files in *place*."""

    process: "subprocess.Popen[bytes]"
    place: Path
    _lines: list[Line] = field(default_factory=list)
    _read: int = 0

    @property
    def stdout(self) -> bytes:
        return (self.place / "stdout").read_bytes()

    @property
    def stderr(self) -> str:
        return (self.place / "stderr").read_text()

    @property
    def lines(self) -> list[Line]:
        """The whole lines that are out so far; whoever asks again and again has each of them read once."""
        with (self.place / "stdout").open("rb") as out:
            out.seek(self._read)
            whole, newline, _ = out.read().rpartition(b"\n")
        self._lines += [json.loads(line) for line in whole.split(b"\n") if newline]
        self._read += len(whole + newline)
        return list(self._lines)

    def of(self, type_: str, **data: Any) -> list[Line]:
        """Return the lines of a type whose data has these values."""
        return [
            line
            for line in self.lines
            if line["type"] == type_ and all(line["data"].get(key) == value for key, value in data.items())
        ]

    def wait_until(self, type_: str, wanted: Callable[[Line], bool] = lambda _: True) -> Line:
        """Wait until such a line is out, and return it."""
        end = time.monotonic() + PATIENCE
        while (found := next(filter(wanted, self.of(type_)), None)) is None:
            assert time.monotonic() < end, f"no {type_}: {self.stdout.decode()[-3000:]} {self.stderr}"
            assert self.process.poll() is None, f"no {type_}: {self.stdout.decode()[-3000:]} {self.stderr}"
            time.sleep(0.01)
        return found

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(60)


@contextlib.contextmanager
def running(
    place: Path, tables: Mapping[str, Mapping[str, Any]], *flags: str, **env: str
) -> Iterator[RealRun]:
    """Start `plexsuper run` in *place* with these settings; it is ended with the block, whatever happens."""
    with command(place, tables, *flags) as (argv, environment):
        with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
            process = subprocess.Popen(argv, cwd=place, env=environment | env, stdout=out, stderr=err)
        try:
            yield RealRun(process, place)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def command(
    place: Path, tables: Mapping[str, Mapping[str, Any]], *flags: str
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Give arguments and environment of `plexsuper run`; afterwards end what it left in *place*."""
    before = processes_of(place)
    file = place / "plexsuper.toml"
    state = f'state_dir = {json.dumps(str(place / "state"))}\nprofile = "local_quick"\n'
    file.write_text(state + toml({"timing": FAST, **tables}))
    file.chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEX_", "PLEXSUPER_"))}
    try:
        yield [sys.executable, "-m", "plexsuper", "run", "--config", str(file), *flags], kept
    finally:
        for pid in processes_of(place).keys() - before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def processes_of(place: Path) -> dict[int, str]:
    """Return the processes that have *place* in their arguments or environment, but this one."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            argv, environ = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            if argv and os.fsencode(place) in argv + environ:
                found[int(entry.name)] = os.fsdecode(argv.replace(b"\0", b" "))
    return found


def preferences(url: str) -> dict[str, Any]:
    """Return all settings of a server, asked without any code of the product."""
    request = urllib.request.Request(
        f"{url}/:/prefs", headers={"X-Plex-Token": TOKEN, "Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        settings = json.load(answer)["MediaContainer"]["Setting"]
    return {setting["id"]: setting["value"] for setting in settings}


def leaks(secret: str, *places: Path) -> list[Path]:
    """Return the files below *places* that hold *secret*."""
    files = (file for place in places for file in ([place] if place.is_file() else place.rglob("*")))
    return [file for file in files if file.is_file() and secret.encode() in file.read_bytes()]
