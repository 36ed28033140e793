"""The tools for the database end with the run that has started them, and what they say is a result or an error."""

import os
import select
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.library.tool import run_tool
from plexsuper.errors import DatabaseError

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
print(child.pid, child.stdout.readline().decode(), flush=True)
child.wait()
"""
CHILD = """
import os, signal
from plexsuper.clients.processes.lifetime import die_with
die_with(os.getppid())
print("lives", flush=True)
signal.pause()
"""


def test_a_child_ends_the_moment_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid, said = parent.stdout.readline().split()
        assert said == b"lives"
        watched = os.pidfd_open(int(pid))
        parent.kill()
        parent.wait()
        assert ends(watched)


def ends(pidfd: int) -> bool:
    """Wait until a process has ended, at most ten seconds."""
    ready, _, _ = select.select([pidfd], [], [], 10.0)
    os.close(pidfd)
    return bool(ready)


def test_a_tool_that_starts_after_its_run_was_killed_does_nothing(tmp_path: Path) -> None:
    tool = [sys.executable, "-m", "plexsuper", "db", "stats", str(tmp_path), "--json"]
    other = os.environ | {"PLEXSUPER_DIE_WITH": "1"}
    done = subprocess.run(tool, env=other, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (137, b"")


def pretend(place: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let *script* run in place of the tools."""
    tool = place / "tool"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tool))


async def test_a_tool_is_told_with_whom_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, 'echo "{\\"with\\": \\"$PLEXSUPER_DIE_WITH\\"}"')
    assert await run_tool("stats", tmp_path) == {"with": str(os.getpid())}


async def test_an_error_that_a_tool_reports_is_an_error_and_a_damaged_database_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, """echo '{"error": "no space left: free some", "exit_code": 5}'; exit 5""")
    with pytest.raises(DatabaseError, match=r"`plexsuper db export` failed: no space left: free some"):
        await run_tool("export", tmp_path)
    pretend(tmp_path, monkeypatch, """echo '[{"healthy": false}]'; exit 5""")
    assert await run_tool("check", tmp_path) == [{"healthy": False}]


async def test_a_tool_that_somebody_has_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing bounds how long a tool may take with a big library, so one that stands still would hold the run for ever."""
    pretend(tmp_path, monkeypatch, """kill -STOP $$; echo '{"went": "on"}'""")
    with anyio.fail_after(20):
        assert await run_tool("stats", tmp_path) == {"went": "on"}
