"""Proves what the verbs of `scripts/` print for people."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_list_of_benchmarks_has_each_with_the_sentence_that_it_begins_with():
    listed = subprocess.run([ROOT / "scripts/bench"], capture_output=True, text=True, timeout=300, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == sorted(file.stem for file in (ROOT / "bench").glob("[!_]*.py"))
    assert '"""' not in listed.stdout
    assert all(len(line.split()) > 3 for line in listed.stdout.splitlines())


NO_RCLONE_OF_DEBIAN = """
. scripts/_system
root=build
function [ { [[ $2 != /usr/bin/rclone ]] && builtin [ "$@"; }
install_missing() { printf '%s\\n' "$@"; }
take_from_package() { :; }
install_tools
"""


def test_the_rclone_of_the_system_is_installed_although_that_of_the_project_is_there(tmp_path):
    (tmp_path / "rclone").symlink_to("/bin/true")
    wanted = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", NO_RCLONE_OF_DEBIAN],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "rclone" in wanted.stdout.splitlines()
