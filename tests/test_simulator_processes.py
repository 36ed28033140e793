"""The simulated server as others on the same machine see it: its processes, its files, its end."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from plexsuper.simulator.layout import SCANNER, SERVER
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB
from plexsuper.simulator.work.scanner_child import padding
from tests.real_simulator import (
    PATIENCE,
    QUICK,
    TOKEN,
    Simulator,
    children_of,
    cmdline,
    simulator,
    write_media,
)

SLOW_SCAN = (
    *QUICK,
    "analyze_new=0",
    "scan_seconds=0.3",
    "item_seconds=2",
    "metadata_seconds=0",
    "metadata_gap=0",
)
NO_ANALYSIS = (*QUICK, "analyze_new=0", "metadata_seconds=0", "metadata_gap=0")


def call(server: Simulator, method: str, path: str) -> bytes:
    request = Request(server.url + path, method=method, headers={"X-Plex-Token": TOKEN})
    with urlopen(request, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
    return body


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def scanner_of(server: Simulator) -> int:
    """Wait for a process that looks like a scanner and return its pid."""
    until(lambda: any(argv[0] == SCANNER for argv in server.scanners().values()))
    return next(pid for pid, argv in server.scanners().items() if argv[0] == SCANNER)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def rows(server: Simulator, sql: str) -> int:
    with closing(sqlite3.connect(f"file:{quote(str(server.layout.library))}?mode=ro", uri=True)) as conn:
        return int(conn.execute(sql).fetchone()[0])


def test_server_and_scanner_look_like_plex_to_everybody(tmp_path: Path) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, knobs=SLOW_SCAN) as server:
        assert cmdline(server.pid) == [SERVER]
        assert Path(f"/proc/{server.pid}/comm").read_text() == "Plex Media Serv\n"
        call(server, "GET", "/library/sections/1/refresh")
        scanner = scanner_of(server)
        argv = cmdline(scanner)
        assert argv[:6] == [SCANNER, "--scan", "--refresh", "--section", "1", "--activity"]
        assert len(argv) == 7
        assert f'uuid="{argv[6]}"'.encode() in call(server, "GET", "/activities")
        assert Path(f"/proc/{scanner}/comm").read_text() == "Plex Media Scan\n"
        pgrep = subprocess.run(
            ["pgrep", "-P", str(server.pid), "-f", "Plex Media Scanner"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert pgrep.stdout.split() == [str(scanner)]


def test_a_whole_scan_with_real_files_ends_in_the_database_and_in_the_logs(tmp_path: Path) -> None:
    write_media(tmp_path / "media", films=3, tracks=4)
    odd = os.fsencode(tmp_path / "media" / "Movies") + b"/Caf\xe9 (2002).mkv"
    with open(odd, "wb") as file:  # noqa: PTH123 - a Path cannot hold such a name
        file.write(b"not UTF-8")
    with simulator(tmp_path, knobs=NO_ANALYSIS) as server:
        call(server, "GET", "/library/sections/all/refresh")
        server.wait_for("scan.ended", 2)
        assert rows(server, "SELECT count(*) FROM metadata_items WHERE metadata_type = 1") == 4
        assert rows(server, "SELECT count(*) FROM metadata_items WHERE metadata_type = 10") == 4
        call(server, "PUT", "/library/sections/1/analyze")
        server.wait_for("analysis.ended", 1)
        assert rows(server, "SELECT count(*) FROM media_items WHERE media_analysis_version = 0") == 4
        log = (server.layout.logs / "Plex Media Scanner.log").read_text(errors="surrogateescape")
        assert log.startswith("Plex Media Server v1.43.4.10903-e5521bd8c - Docker Docker Container")
        assert "Scanner: Processing directory " in log
        assert server.output.read_text().count("The '--scan' operation is deprecated") == 2
        assert server.stop() == 0


def test_a_file_that_vanishes_is_marked_and_one_that_comes_back_is_restored(tmp_path: Path) -> None:
    write_media(tmp_path / "media", films=2, tracks=0)
    film = tmp_path / "media" / "Movies" / "L'Été 0 (2001)" / "L'Été 0 (2001).mkv"
    trashed = "SELECT count(*) FROM media_parts WHERE deleted_at IS NOT NULL"
    with simulator(tmp_path, knobs=NO_ANALYSIS) as server:
        call(server, "PUT", "/:/prefs?autoEmptyTrash=0")
        call(server, "GET", "/library/sections/1/refresh")
        server.wait_for("scan.ended", 1)
        film.rename(tmp_path / "elsewhere")
        os.utime(film.parent, (2_000_000_000, 2_000_000_000))
        call(server, "GET", "/library/sections/1/refresh")
        assert server.wait_for("scan.ended", 2)[1]["removed"] == 1
        assert rows(server, trashed) == 1
        (tmp_path / "elsewhere").rename(film)
        call(server, "GET", "/library/sections/1/refresh?force=1")
        assert server.wait_for("scan.ended", 3)[2]["restored"] == 1
        assert rows(server, trashed) == 0


def test_sigterm_ends_everything_and_folds_the_log_into_the_database(tmp_path: Path) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, knobs=SLOW_SCAN) as server:
        call(server, "GET", "/library/sections/1/refresh")
        scanner = scanner_of(server)
        assert server.stop() == 0
        assert gone(scanner)
        assert sorted(path.name for path in server.layout.databases.iterdir()) == [BLOBS_DB, LIBRARY_DB]
        assert server.truth("scan.ended")[0]["outcome"] == "cancelled"
        assert server.output.read_text().endswith("Stopping Plex Media Server.\n")
        with pytest.raises(URLError, match="refused"):
            call(server, "GET", "/identity")


def test_sigkill_leaves_the_write_ahead_log_but_no_scanner(tmp_path: Path) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, knobs=SLOW_SCAN) as server:
        call(server, "PUT", "/library/sections/1?name=Films")
        call(server, "GET", "/library/sections/1/refresh")
        scanner = scanner_of(server)
        os.kill(scanner, signal.SIGSTOP)  # even a stopped one must go
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: gone(scanner))
        wal = server.layout.library.with_name(LIBRARY_DB + "-wal")
        assert wal.stat().st_size > 0
    with simulator(tmp_path, knobs=NO_ANALYSIS) as again:
        assert b'title="Films"' in call(again, "GET", "/library/sections")
        assert b'refreshing="1"' not in call(again, "GET", "/library/sections")


def test_a_stopped_scanner_holds_the_scan_up_and_a_killed_one_ends_it(tmp_path: Path) -> None:
    write_media(tmp_path / "media", films=20)
    knobs = (*NO_ANALYSIS, "item_seconds=0.2")
    with simulator(tmp_path, knobs=knobs) as server:
        call(server, "GET", "/library/sections/1/refresh")
        scanner = scanner_of(server)
        os.kill(scanner, signal.SIGSTOP)
        time.sleep(1.0)
        assert server.truth("scan.ended") == []
        assert rows(server, "SELECT count(*) FROM metadata_items") < 4
        os.kill(scanner, signal.SIGKILL)
        assert server.wait_for("scan.ended")[0]["outcome"] == "died (-9)"
        log = (server.layout.logs / "Plex Media Server.log").read_text()
        assert f"exit code for process {scanner} is -9 (signal: Killed)" in log
        assert children_of(server.pid) == []


def test_a_server_can_die_in_the_middle_of_a_scan_and_come_back(tmp_path: Path) -> None:
    write_media(tmp_path / "media", films=6)
    knobs = (*NO_ANALYSIS, "item_seconds=0.1", "crash_down=0.5")
    with simulator(tmp_path, "--restart-at", "50", knobs=knobs) as server:
        call(server, "GET", "/library/sections/1/refresh")
        server.wait_for("server.crashed")
        server.wait_for("server.ready", 2)
        call(server, "GET", "/library/sections/1/refresh")
        server.wait_for("scan.ended", 2)
        assert rows(server, "SELECT count(*) FROM metadata_items WHERE metadata_type = 1") == 6


def test_a_server_that_does_not_come_back_exits_like_a_crash(tmp_path: Path) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, "--restart-at", "10", knobs=(*NO_ANALYSIS, "crash_down=-1")) as server:
        call(server, "GET", "/library/sections/1/refresh")
        assert server.process.wait(PATIENCE) == 139
        assert "PLEX MEDIA SERVER CRASHED" in server.output.read_text()


def test_an_unclaimed_server_without_a_pass_and_a_failed_claim(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    options = ("--claim", "nonsense", "--no-pass")
    with simulator(tmp_path, *options) as server:
        assert b'claimed="0"' in call(server, "GET", "/identity")
        assert stat.S_IMODE(server.layout.preferences.stat().st_mode) == 0o600
        assert "Attempting to obtain server token from claim token" in server.output.read_text()
    with simulator(tmp_path, "--unclaimed") as server:
        assert b'claimed="0"' in call(server, "GET", "/identity")


def test_the_command_line_names_every_wrong_knob(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plexsuper.simulator", "--plain", "--data", str(tmp_path), "--port", "1"]
    wrong = subprocess.run(
        [*command, "--knob", "nonsense=1", "--knob", "butler_every=x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "plexsuper.simulator: there is no knob 'nonsense'; knob butler_every: 'x' is not a number\n"
    )
    listed = subprocess.run([*command, "--list-knobs"], capture_output=True, text=True, check=True)
    assert "butler_row = true  [A] an idle server lists one activity of type butler" in listed.stdout


def test_event_source_clients_hear_of_a_scan(tmp_path: Path) -> None:
    write_media(tmp_path / "media")
    with simulator(tmp_path, knobs=NO_ANALYSIS) as server:
        request = Request(
            f"{server.url}/:/eventsource/notifications?filters=activity", headers={"X-Plex-Token": TOKEN}
        )
        with urlopen(request, timeout=PATIENCE) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            assert [stream.readline() for _ in range(3)] == [b"event: ping\n", b"data: {}\n", b"\n"]
            call(server, "GET", "/library/sections/1/refresh")
            assert stream.readline() == b"event: activity\n"
            assert stream.readline().startswith(b'data: {"ActivityNotification":{"event":"started","uuid":"')


def test_arguments_are_padded_to_the_byte() -> None:
    assert padding(["p", "-x"], ["Plex", "--scan"]) == "x" * 6
    assert padding(["p", "-x"], ["p", "-x"]) is None
    assert padding(["p"], ["p", ""]) == ""
    assert padding(["long", "enough"], ["p"]) is None


def test_whoever_only_becomes_plex_loads_no_server_for_that():
    """Every start is one of two: what both loaded would cost twice."""
    code = "import sys, plexsuper.simulator.__main__; print(*{'aiohttp', 'anyio', 'plexsuper.simulator.real'} & set(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.split() == []
