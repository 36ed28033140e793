"""One browser for all tests of the page."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.browser import chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[str]:
    """Give the address of a running browser's debugging protocol.

    Its home is not below that of the tests: what a browser starts in the middle of one is not what that one left behind.
    """
    with (
        tempfile.TemporaryDirectory(prefix="plexsuper-chromium-", ignore_cleanup_errors=True) as home,
        chromium(Path(home)) as address,
    ):
        yield address


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Give the directory for screenshots: the one that PLEXSUPER_ARTIFACTS names, else one that is thrown away."""
    place = Path(os.environ.get("PLEXSUPER_ARTIFACTS") or tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    return place
