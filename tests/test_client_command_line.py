"""A Plex program may be a shell script, such as one that somebody has put in front of the real one."""

import subprocess
from pathlib import Path

import pytest

from plexsuper.clients.processes.command_line import SERVER, arguments_of, classify
from plexsuper.clients.processes.table import ProcessTable
from plexsuper.terms import Scanner, ScannerKind

SCANNER = "/usr/lib/plexmediaserver/Plex Media Scanner"


@pytest.mark.parametrize("shell", [["/bin/sh"], ["/bin/sh", "-e"], ["/usr/bin/bash", "-e", "-u"], ["dash"]])
def test_a_shell_script_called_like_a_scanner_is_one(shell: list[str]) -> None:
    argv = [*shell, SCANNER, "--scan", "--section", "2"]

    assert classify(argv) == (ScannerKind.SCAN, 2)


@pytest.mark.parametrize("options", [["-c"], ["-ec"], ["-e", "-c"]])
def test_a_shell_that_only_runs_a_scanner_is_none(options: list[str]) -> None:
    assert classify(["/bin/sh", *options, f"{SCANNER} --scan --section 2"]) is None


def test_a_shell_script_called_like_the_server_is_one() -> None:
    assert arguments_of(SERVER, ["/bin/sh", "/opt/my plex/Plex Media Server"]) == []


def test_a_scanner_that_is_a_shell_script_is_found_among_the_processes(tmp_path: Path) -> None:
    script = tmp_path / "Plex Media Scanner"
    script.write_text("#!/bin/sh\necho up\nread -r line\n")
    script.chmod(0o755)
    started = [str(script), "--analyze", "--item", "41"]

    with subprocess.Popen(started, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        found = [scanner for scanner in ProcessTable().scanners() if scanner.pid == process.pid]
        process.communicate()

    assert found == [Scanner(pid=process.pid, kind=ScannerKind.ANALYZE, section=None, items=(41,))]
