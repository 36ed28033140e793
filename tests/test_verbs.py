"""Proves what the verbs of `scripts/` print for people."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_list_of_benchmarks_has_each_with_the_sentence_that_it_begins_with():
    listed = subprocess.run([ROOT / "scripts/bench"], capture_output=True, text=True, timeout=300, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == sorted(file.stem for file in (ROOT / "bench").glob("[!_]*.py"))
    assert '"""' not in listed.stdout
    assert all(len(line.split()) > 3 for line in listed.stdout.splitlines())
