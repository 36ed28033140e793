"""What the guard learns by reading a section's files, with the real helper process on real files."""

from pathlib import Path

import pytest

from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.health import Failure, Proof


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("Alien", "Brazil", "Casablanca"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mkv").write_bytes(b"film" * 4096)
    return tmp_path


NAMES = ("Alien/Alien.mkv", "Brazil/Brazil.mkv", "Casablanca/Casablanca.mkv")


async def test_one_file_that_can_be_read_is_proof_enough(films):
    probe = ContentProbe(films)
    try:
        everything = await probe.readable(str(films), NAMES, 10.0)
        (films / NAMES[0]).unlink()
        (films / NAMES[1]).unlink()
        last = await probe.readable(str(films), NAMES, 10.0)
    finally:
        await probe.aclose()
    assert isinstance(everything, Proof)
    assert everything.detail == "3 of 3 files read"
    assert isinstance(last, Proof)
    assert last.detail == "1 of 3 files read"


async def test_files_that_are_not_there_and_a_directory_that_is_not_are_told_apart(films):
    probe = ContentProbe(films)
    try:
        gone = await probe.readable(str(films), ("Dune/Dune.mkv", "Eraserhead/Eraserhead.mkv"), 10.0)
        nowhere = await probe.readable(str(films / "nowhere"), NAMES, 10.0)
    finally:
        await probe.aclose()
    assert isinstance(gone, Failure)
    assert (gone.reason, gone.detail) == (
        "wrong_content",
        "none of Dune/Dune.mkv, Eraserhead/Eraserhead.mkv is there",
    )
    assert isinstance(nowhere, Failure)
    assert nowhere.reason == "missing"
