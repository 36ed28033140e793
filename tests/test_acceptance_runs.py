"""Whole runs as their user has them, where an independent server and real faults have found something wrong."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import running
from tests.real_simulator import QUICK, simulator

pytestmark = pytest.mark.slow


@contextmanager
def somebody_elses_mount(path: Path) -> Iterator[None]:
    """Let something be mounted at *path* until the block ends or unmounts it."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        if path.is_mount():
            subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount something")
@pytest.mark.lesson("L40")
def test_a_mount_of_somebody_else_that_is_unmounted_freezes_plex_though_the_next_look_is_far_away(tmp_path):
    media = tmp_path / "media"
    with somebody_elses_mount(media):
        make_media_tree(media, movies=3, episodes=0, tracks=0, photos=0, seed=1)
        with simulator(tmp_path, "--time-scale", "8", knobs=(*QUICK, "item_seconds=8")) as server:
            tables: dict[str, dict[str, Any]] = {
                "media": {"path": str(media), "kind": "mount", "every": 600.0},
                "plex": {"url": server.url, "config_dir": str(server.layout.data)},
            }
            with running(tmp_path, tables) as run:
                run.wait_until("section.phase.started")
                subprocess.run(["umount", "-l", str(media)], check=True)
                suspected = run.wait_until("mount.suspected")
                frozen = run.wait_until("plex.frozen")
    assert suspected["data"]["reason"] == "missing"
    assert frozen["data"]["reason"] == f"nothing is mounted at {media}: a plain directory is there"
