"""Proves what is said of a process that belongs to somebody else."""

import os
import subprocess

import pytest

from plexsuper.clients.processes.signals import not_ours

NOBODY_KNOWN = 54321


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_a_user_without_a_name_is_told_by_number():
    with subprocess.Popen(["sleep", "60"], user=NOBODY_KNOWN) as other:
        try:
            assert f"process {other.pid} belongs to {NOBODY_KNOWN}, " in not_ours(other.pid)
        finally:
            other.kill()
