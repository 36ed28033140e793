"""What holds for every test: nothing blocks the event loop, nothing is left behind, missing components are named."""

import functools
import inspect
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from blockbuster import BlockBuster

from tests.web.browser import find_chromium

pytest_plugins = ["tests.leaks", "tests.lessons"]

_LONGEST = (
    "test_survival",
    "test_tidy",
    "test_replaced_library",
    "test_demo",
    "test_database_index_proofs",
    "test_guard_real",
    "test_deploy",
    "test_end_to_end",
    "test_matrix",
    "test_exit_paths",
)
"""The files that take minutes: where several workers share the tests, whoever gets one late works alone at the end."""


def _fuse() -> str | None:
    """Say what is missing for a test with a real rclone mount."""
    missing = [tool for tool in ("fusermount3", "rclone") if shutil.which(tool) is None]
    if missing:
        return f"not on PATH: {', '.join(missing)}"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened: {error.strerror}"
    return None


def _docker() -> str | None:
    """Say what is missing for a test with a real Docker engine."""
    if shutil.which("docker") is None:
        return "not on PATH: docker"
    if shutil.which("dockerd") is not None and os.geteuid() == 0:
        return None  # where none answers, the tests start one of their own (tests/docker/conftest.py)
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within 20 s"
    return asked.stderr.strip() or "no Docker engine" if asked.returncode else None


def _browser() -> str | None:
    """Say what is missing for a test with a real browser."""
    return None if find_chromium() else "not on PATH: chromium, or another browser made of it"


def _promtool() -> str | None:
    """Say what is missing for a test that asks Prometheus' own checker."""
    return None if shutil.which("promtool") else "not on PATH: promtool (scripts/test fetches it)"


_COMPONENTS: dict[str, Callable[[], str | None]] = {
    "fuse": functools.cache(_fuse),
    "docker": functools.cache(_docker),
    "browser": functools.cache(_browser),
    "promtool": _promtool,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose component is missing; fail it where PLEXSUPER_REQUIRE names the component (CI)."""
    required = os.environ.get("PLEXSUPER_REQUIRE", "").replace(",", " ").split()
    for component, missing in _COMPONENTS.items():
        if item.get_closest_marker(component) is None or (reason := missing()) is None:
            continue
        if component in required:
            pytest.fail(f"{component} is required here (PLEXSUPER_REQUIRE), but {reason}", pytrace=False)
        pytest.skip(f"needs {component}: {reason}")


@functools.cache
def _watchdog() -> BlockBuster:
    # The simulator is a server of its own: what it does on its loop cannot stop plexsuper's.
    return BlockBuster("plexsuper", excluded_modules=["plexsuper.simulator"])


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make a blocking call from plexsuper's code on the event loop an error, in asynchronous tests."""
    permission = request.node.get_closest_marker("blocking")
    if permission is not None and not permission.args:
        pytest.fail('say why: @pytest.mark.blocking("reason")', pytrace=False)
    if permission is not None or not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    _watchdog().activate()
    try:
        yield
    finally:
        _watchdog().deactivate()
