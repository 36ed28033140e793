"""One browser for all tests of the page."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.browser import chromium


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a running browser's debugging protocol."""
    with chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Give the directory for screenshots: the one that PLEXSUPER_ARTIFACTS names, else one that is thrown away."""
    place = Path(os.environ.get("PLEXSUPER_ARTIFACTS") or tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    return place
