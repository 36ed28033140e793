"""Proves that a run loads nothing that few runs need: each MiB of it would be there for days."""

import subprocess
import sys

import pytest

SELDOM = {
    "apprise": "notifications",
    "plexsuper.faces.report.page": "the end of a run",
    "plexsuper.faces.web.page": "the web page",
    "plexsuper.simulator": "the demo",
    "prometheus_client": "the metrics",
    "psutil": "the name of a process's owner",
    "rich": "people at a terminal",
}


@pytest.mark.parametrize("module", sorted(SELDOM), ids=SELDOM.__getitem__)
def test_a_run_does_not_load_what_only_few_need(loaded, module):
    assert module not in loaded


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    code = "import sys, plexsuper.app, plexsuper.faces.face; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(shown.stdout.split())
