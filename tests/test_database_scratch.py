"""What a killed process has unpacked into the temporary directory goes with the next one that unpacks there."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from plexsuper.database.archive.inject import verify_archive
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.private import private_directory
from tests.database_library import library_with_files
from tests.other_user import someone_else

CHECKS_FOR_EVER = """
import sys
from pathlib import Path
from plexsuper.database.archive.inject import verify_archive

def check(path):
    print(path, flush=True)
    sys.stdin.read()

verify_archive(Path(sys.argv[1]), check=check)
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the temporary directory of this process and its children."""
    home = tmp_path / "scratch"
    home.mkdir()
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    return home


def test_what_a_killed_verification_has_unpacked_goes_with_the_next_one_and_not_while_it_lives(
    tmp_path: Path, scratch: Path
) -> None:
    archive = export_archive(library_with_files(tmp_path, "/m/One/One.mkv"), tmp_path / "l.tar.zst").path
    argv = [sys.executable, "-c", CHECKS_FOR_EVER, str(archive)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        unpacked = Path(os.fsdecode(other.stdout.readline().rstrip()))
        assert unpacked.is_relative_to(scratch)
        assert stat.S_IMODE(unpacked.parent.stat().st_mode) == 0o700
        assert verify_archive(archive, check=lambda _: None).statistics is not None
        assert unpacked.exists()
        other.kill()
        other.wait()
    assert unpacked.exists()
    assert verify_archive(archive, check=lambda _: None).statistics is not None
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_what_another_user_has_left_there_is_left_alone(scratch: Path) -> None:
    theirs = scratch / ".plexsuper-verify-theirs"
    theirs.mkdir()
    (theirs / "lock").touch()
    theirs.chmod(0)
    scratch.chmod(0o777)
    with someone_else(scratch), private_directory(scratch, "verify", alone=False) as ours:
        assert ours.is_dir()
    assert sorted(path.name for path in scratch.iterdir()) == [theirs.name]
