import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from plexsuper.database.archive import inject
from plexsuper.database.archive.inject import inject_archive, verify_archive
from plexsuper.database.archive.unpack import Budget, read_members
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.check.examination import check_database
from plexsuper.database.copies.store import snapshots_home, workshop
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.errors import DatabaseError, SettingsError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import (
    add_film,
    files_of,
    held_open,
    kill_at_random,
    library_content,
    library_with_files,
    reference_library,
    tree,
)

DATABASES = "Plug-in Support/Databases"


def sound(path):
    report = check_database(path)
    if not report.healthy:
        raise DatabaseError(f"{path} is damaged: {report.findings}")


@contextmanager
def writing(path):
    """Write an archive by hand, as a stranger would."""
    with zstd.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        yield tar


def add(tar, name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def target(tmp_path):
    directory = tmp_path / "home" / "Plug-in Support" / "Databases"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize("suffix", ["tar.zst", "tar.gz", "tgz"])
@pytest.mark.lesson("F07")
def test_what_was_exported_is_injected_elsewhere(tmp_path, target, suffix):
    databases = reference_library(tmp_path)
    before = tree(databases)
    archive = tmp_path / f"library.{suffix}"
    written = export_archive(databases, archive)
    assert tree(databases) == before
    assert written.size == archive.stat().st_size < sum(p.stat().st_size for p in databases.iterdir())
    assert written.manifest.method == "direct"
    content = verify_archive(archive, check=sound)
    assert content.manifest == written.manifest
    assert content.databases == (LIBRARY, BLOBS)
    assert inject_archive(archive, target, check=sound).kept is None
    assert library_content(target) == library_content(databases)
    assert sorted(p.name for p in target.iterdir()) == sorted([LIBRARY, BLOBS])


def test_gnu_tar_and_zstd_read_what_is_written(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    archive = export_archive(databases, tmp_path / "library.tar.zst").path
    plain = tmp_path / "plain.tar"
    plain.write_bytes(zstd.decompress(archive.read_bytes()))
    subprocess.run(["tar", "-xf", plain, "-C", tmp_path], check=True)
    assert (tmp_path / DATABASES / LIBRARY).read_bytes() == (databases / LIBRARY).read_bytes()


def test_an_archive_carries_a_checksum_of_its_content(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    data = export_archive(databases, tmp_path / "library.tar.zst").path.read_bytes()
    assert data[4] & 0b100  # content checksum flag of the frame header (RFC 8878, 3.1.1.1.1)


@pytest.mark.lesson("F04")
def test_a_running_plex_is_exported_as_of_one_moment(tmp_path, target):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    with closing(connect_as_plex(databases / LIBRARY)) as plex:
        plex.execute("BEGIN IMMEDIATE")
        add_film(plex, 2, "/Media/2.mkv")
        written = export_archive(databases, tmp_path / "library.tar.zst", reason="checkpoint")
        plex.execute("COMMIT")
    assert (written.manifest.method, written.manifest.reason) == ("backup", "checkpoint")
    inject_archive(written.path, target, check=sound)
    assert files_of(target) == [b"/Media/1.mkv"]


def test_what_a_killed_export_has_copied_is_gone_after_the_next_one(tmp_path):
    databases = reference_library(tmp_path)
    left = snapshots_home(databases) / ".stage-killed"
    left.mkdir(parents=True)
    (left / LIBRARY).write_bytes(b"half of it")
    with workshop(databases) as shop, shop.stage() as stage:
        export_archive(databases, tmp_path / "while.tar.zst")
        assert stage.is_dir()  # somebody is at work: it is his
    left.mkdir()
    assert export_archive(databases, tmp_path / "after.tar.zst").manifest.method == "direct"
    assert not left.exists()


def test_injecting_replaces_both_and_keeps_the_old_ones(tmp_path, target):
    archive = export_archive(library_with_files(tmp_path / "a", "/Media/a.mkv"), tmp_path / "a.tar.zst").path
    other = library_with_files(tmp_path / "b", "/Media/b.mkv")
    old = library_content(other)
    kept = inject_archive(archive, other).kept
    assert files_of(other) == [b"/Media/a.mkv"]
    assert kept is not None
    assert library_content(kept) == old


def support(databases):
    """Add bundles as Plex has them: pictures, and links within a bundle."""
    root = databases.parent.parent
    bundle = root / "Metadata/Movies/a/1.bundle/Contents"
    (bundle / "_stored/posters").mkdir(parents=True)
    (bundle / "_stored/posters/p1").write_bytes(b"poster")
    (bundle / "_combined").mkdir()
    (bundle / "_combined/p1").symlink_to("../_stored/posters/p1")
    (root / "Media/localhost").mkdir(parents=True)
    (root / "Media/localhost/\udcff'x").write_bytes(b"odd name")
    return root


def test_bundles_travel_with_their_links_and_odd_names(tmp_path, target):
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    support(databases)
    written = export_archive(databases, tmp_path / "all.tar.zst", bundles=True)
    assert [(t.name, t.files, t.size) for t in written.manifest.trees] == [
        ("Metadata", 2, 6),
        ("Media", 1, 8),
    ]
    assert verify_archive(written.path).trees == ("Metadata", "Media")
    root = target.parent.parent
    (root / "Metadata").mkdir()
    (root / "Metadata/old").write_bytes(b"old")
    kept = inject_archive(written.path, target).kept
    bundle = root / "Metadata/Movies/a/1.bundle/Contents"
    assert (bundle / "_combined/p1").read_bytes() == b"poster"
    assert (bundle / "_combined/p1").readlink() == Path("../_stored/posters/p1")
    assert (root / "Media/localhost/\udcff'x").read_bytes() == b"odd name"
    assert not (root / "Metadata/old").exists()
    assert kept is not None
    assert (kept / "Metadata/old").read_bytes() == b"old"


def test_bundles_are_put_in_place_where_the_kernel_cannot_exchange(tmp_path, target, monkeypatch):
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    support(databases)
    archive = export_archive(databases, tmp_path / "all.tar.zst", bundles=True).path
    (target.parent.parent / "Media").mkdir()
    (target.parent.parent / "Media/old").write_bytes(b"old")
    monkeypatch.setattr(inject, "exchange", lambda _one, _two: False)
    kept = inject_archive(archive, target).kept
    assert kept is not None
    assert tree(kept) == {"Media/old": hashlib.sha256(b"old").hexdigest()}
    assert "localhost/\udcff'x" in tree(target.parent.parent / "Media")


def test_the_configuration_directory_of_a_fresh_server_is_understood(tmp_path, target):
    archive = export_archive(
        library_with_files(tmp_path / "src", "/Media/1.mkv"), tmp_path / "a.tar.zst"
    ).path
    inject_archive(archive, target.parent.parent)
    assert files_of(target) == [b"/Media/1.mkv"]


def test_bundles_may_stay_out(tmp_path, target):
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    support(databases)
    archive = export_archive(databases, tmp_path / "all.tar.zst", bundles=True).path
    inject_archive(archive, target, bundles=False)
    assert files_of(target) == [b"/Media/1.mkv"]
    assert not (target.parent.parent / "Metadata").exists()


@pytest.mark.lesson("F07")
@pytest.mark.parametrize("suffix", ["tar.zst", "tar.gz"])
def test_no_changed_byte_of_an_archive_goes_unnoticed(tmp_path, target, suffix):
    databases = library_with_files(tmp_path / "src", *(f"/Media/{n}.mkv" for n in range(20)))
    archive = export_archive(databases, tmp_path / f"library.{suffix}").path
    good = verify_archive(archive)
    data = archive.read_bytes()
    rng = random.Random(5)
    for _ in range(60):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        archive.write_bytes(changed)
        try:
            content = verify_archive(archive)
        except DatabaseError:
            continue
        assert content == good  # a bit without meaning (gzip's time stamp, padding)
    archive.write_bytes(data[:40] + bytes(8) + data[48:])
    with pytest.raises(DatabaseError):
        inject_archive(archive, target)
    assert list(target.iterdir()) == []


@pytest.mark.lesson("F07")
@pytest.mark.parametrize("suffix", ["tar.zst", "tar.gz"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_cut_off_archive_is_refused(tmp_path, suffix, share):
    archive = export_archive(reference_library(tmp_path, scale=0.01), tmp_path / f"library.{suffix}").path
    os.truncate(archive, int(archive.stat().st_size * share))
    with pytest.raises(DatabaseError, match=r"is damaged|is incomplete|is neither"):
        verify_archive(archive)


def test_an_archive_that_was_put_together_again_differs_from_its_manifest(tmp_path):
    archive = export_archive(library_with_files(tmp_path, "/Media/1.mkv"), tmp_path / "library.tar.zst").path
    evil = tmp_path / "evil.tar.zst"
    with (
        zstd.open(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|") as source,
        writing(evil) as tar,
    ):
        for member in source:
            content = source.extractfile(member)
            assert content is not None
            data = content.read()
            add(tar, member.name, data.replace(b"/Media/1.mkv", b"/Media/2.mkv"))
    with pytest.raises(DatabaseError, match="content differs from its manifest"):
        verify_archive(evil)


def test_an_archive_of_the_old_tool_is_read(tmp_path, target):
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    (databases / f"{LIBRARY}-2026-11-01").write_bytes(b"Plex's dated copy")
    archive = tmp_path / "plex.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path / "src", "Plug-in Support"], check=True)
    content = verify_archive(archive, check=sound)
    assert (content.manifest, content.databases) == (None, (LIBRARY, BLOBS))
    assert content.statistics is not None
    assert content.statistics.total.live.movies == 1
    inject_archive(archive, target, check=sound)
    assert library_content(target) == library_content(databases)
    assert sorted(p.name for p in target.iterdir()) == sorted([LIBRARY, BLOBS])


def test_an_archive_with_a_log_is_injected_with_what_the_log_holds(tmp_path, target):
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    archive = tmp_path / "plex.tar.gz"
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET file = '/Media/late.mkv'")
        subprocess.run(["tar", "-czf", archive, "-C", databases, "."], check=True)
    inject_archive(archive, target, check=sound)
    assert files_of(target) == [b"/Media/late.mkv"]
    assert sorted(p.name for p in target.iterdir()) == sorted([LIBRARY, BLOBS])


LINK, OUT, OUTSIDE = tarfile.SYMTYPE, "link that leads out", "write outside its directory"
ODD = "a link, a device or a sparse file"
HOSTILE: dict[str, tuple[str, list[tuple[str, bytes, dict[str, Any]]]]] = {
    "climbing": (OUTSIDE, [("../../evil", b"x", {})]),
    "absolute": (OUTSIDE, [("/tmp/evil", b"x", {})]),
    "hidden climb": (OUTSIDE, [("Metadata/a/../../../evil", b"x", {})]),
    "backslashes": (OUTSIDE, [("Metadata\\..\\..\\evil", b"x", {})]),
    "hard link": (ODD, [("Metadata/a", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})]),
    "device": (ODD, [("Metadata/a", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})]),
    "fifo": (ODD, [("Metadata/a", b"", {"type": tarfile.FIFOTYPE})]),
    "sparse": (ODD, [("Metadata/a", bytes(512), {"type": tarfile.GNUTYPE_SPARSE})]),
    "absolute link": (OUT, [("Metadata/a", b"", {"type": LINK, "linkname": "/etc"})]),
    "climbing link": (OUT, [("Metadata/a", b"", {"type": LINK, "linkname": "../../.."})]),
    "link through a link": (
        OUT,
        [
            (
                "Metadata/b/c/d/l",
                b"",
                {"type": LINK, "linkname": "../../.."},
            ),  # Metadata itself: harmless alone
            ("Metadata/b/c/d/m", b"", {"type": LINK, "linkname": "l/../../x"}),
        ],
    ),
    "file through a link": (
        "cannot unpack",
        [("Metadata/l", b"", {"type": LINK, "linkname": "x"}), ("Metadata/l/y", b"x", {})],
    ),
    "twice": ("cannot unpack .* File exists", [("Metadata/a", b"x", {}), ("Metadata/a", b"y", {})]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_member_is_refused_and_nothing_is_written(tmp_path, target, what):
    complaint, members = HOSTILE[what]
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    archive = tmp_path / "evil.tar.zst"
    with writing(archive) as tar:
        for name in (LIBRARY, BLOBS):
            add(tar, f"{DATABASES}/{name}", (databases / name).read_bytes())
        for name, data, fields in members:
            add(tar, name, data, **fields)
    before = tree(tmp_path)
    with pytest.raises(DatabaseError, match=complaint):
        inject_archive(archive, target)
    assert tree(tmp_path) == before
    assert list(target.iterdir()) == []


def test_a_bomb_is_stopped_at_its_declaration(tmp_path, target):
    archive = tmp_path / "bomb.tar.zst"
    with writing(archive) as tar:
        add(
            tar,
            "plexsuper-archive.json",
            b'{"format": "plexsuper-library", "version": 1, "files": 1, "bytes": 1000}',
        )
        add(tar, f"{DATABASES}/{LIBRARY}", bytes(200 << 20))
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(DatabaseError, match="more than it declares"):
        inject_archive(archive, target)


def test_a_bomb_of_empty_files_is_stopped(tmp_path):
    archive = tmp_path / "bomb.tar.zst"
    with writing(archive) as tar:
        for number in range(2000):
            add(tar, f"Metadata/{number}")
    with pytest.raises(DatabaseError, match="more than it declares or than there is space"):
        for _ in read_members(archive, Budget(size=1000, files=1999)):
            pass


def test_an_archive_larger_than_the_free_space_is_refused_at_its_first_member(tmp_path, target):
    archive = tmp_path / "large.tar.zst"
    with writing(archive) as tar:
        size = 1 << 55
        declaration = f'{{"format": "plexsuper-library", "version": 1, "files": 1, "bytes": {size}}}'
        add(tar, "plexsuper-archive.json", declaration.encode())
    home = target.with_name("Databases.snapshots")
    complaint = rf"^no space for what is in {archive}: {(size >> 20) + 128} MiB needed in {home}, \d+ MiB free; nothing was"
    with pytest.raises(DatabaseError, match=complaint):
        inject_archive(archive, target)


def test_a_huge_header_is_not_read_into_memory(tmp_path):
    archive = tmp_path / "bomb.tar.zst"
    with zstd.open(archive, "wb") as stream:
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 8 << 30
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(DatabaseError, match="a header of 8589934592 bytes"):
        verify_archive(archive)


def test_a_member_that_leads_back_to_itself_is_refused(tmp_path):
    archive = tmp_path / "loop.tar.zst"
    with zstd.open(archive, "wb") as stream:
        info = tarfile.TarInfo("Metadata/a")
        info.size = -512
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.write(bytes(1024))
    with pytest.raises(DatabaseError, match="a member of -512 bytes"):
        verify_archive(archive)


DECLARATION, MANIFEST = "plexsuper-archive.json", "manifest.json"
DEEP = b"[" * 100_000
UNREADABLE = {
    "deep": ("declares nothing sensible", [(DECLARATION, DEEP)]),
    "endless": ("declares nothing sensible", [(DECLARATION, b'{"bytes": 1e999, "files": 1}')]),
    "a deep manifest": (
        "is not a manifest of plexsuper",
        [(DECLARATION, b'{"bytes": 200000, "files": 2}'), (MANIFEST, DEEP)],
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_document_that_cannot_be_read_is_named(tmp_path, what):
    complaint, members = UNREADABLE[what]
    with writing(tmp_path / "x.tar.zst") as tar:
        for name, text in members:
            add(tar, name, text)
    with pytest.raises(DatabaseError, match=complaint):
        verify_archive(tmp_path / "x.tar.zst")


def test_a_database_that_comes_twice_is_refused(tmp_path):
    library = (library_with_files(tmp_path, "/Media/1.mkv") / LIBRARY).read_bytes()
    with writing(tmp_path / "x.tar.zst") as tar:
        add(tar, f"{DATABASES}/{LIBRARY}", library)
        add(tar, LIBRARY, library)
    with pytest.raises(DatabaseError, match=r"holds com\.plexapp\.plugins\.library\.db twice"):
        verify_archive(tmp_path / "x.tar.zst")


def test_endless_data_after_the_end_is_not_read(tmp_path):
    archive = export_archive(library_with_files(tmp_path, "/Media/1.mkv"), tmp_path / "library.tar.zst").path
    archive.write_bytes(archive.read_bytes() + zstd.compress(bytes(64 << 20)))
    with pytest.raises(DatabaseError, match="goes on after its end"):
        verify_archive(archive)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(lambda path: path.write_bytes(b"PK\3\4 zip"), "is neither zstd nor gzip", id="zip"),
        pytest.param(lambda path: path.write_bytes(b""), "is neither zstd nor gzip", id="empty"),
        pytest.param(
            lambda path: path.write_bytes(zstd.compress(b"no tar" * 1000)), "is damaged", id="no tar"
        ),
        pytest.param(lambda _path: None, "No such file", id="missing"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path, make, complaint):
    make(tmp_path / "x.tar.zst")
    with pytest.raises(DatabaseError, match=complaint):
        verify_archive(tmp_path / "x.tar.zst")


def test_an_archive_without_a_library_is_refused(tmp_path):
    with writing(tmp_path / "x.tar.zst") as tar:
        add(tar, "Metadata/a", b"x")
    with pytest.raises(DatabaseError, match="holds no library database"):
        verify_archive(tmp_path / "x.tar.zst")


def test_a_damaged_database_in_a_whole_archive_is_not_injected(tmp_path, target):
    databases = reference_library(tmp_path / "src")
    data = bytearray((databases / LIBRARY).read_bytes())
    data[600 * 1024 : 600 * 1024 + 300] = bytes(300)
    (databases / LIBRARY).write_bytes(data)
    archive = export_archive(databases, tmp_path / "x.tar.zst").path
    verify_archive(archive)
    with pytest.raises(DatabaseError, match="is damaged"):
        inject_archive(archive, target, check=sound)
    assert list(target.iterdir()) == []


def test_the_format_is_chosen_by_the_name(tmp_path):
    with pytest.raises(SettingsError, match=r"name the archive \*\.tar\.zst or \*\.tar\.gz"):
        export_archive(library_with_files(tmp_path), tmp_path / "library.zip")


def test_databases_in_use_are_not_replaced(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    archive = export_archive(databases, tmp_path / "x.tar.zst").path
    with held_open(databases / LIBRARY):
        before = tree(databases)
        with pytest.raises(DatabaseError, match="in use by process"):
            inject_archive(archive, databases)
        assert tree(databases) == before


def test_foreign_blobs_are_not_left_beside_a_new_library(tmp_path):
    source = library_with_files(tmp_path / "src", "/Media/1.mkv")
    (source / BLOBS).unlink()
    archive = export_archive(source, tmp_path / "x.tar.zst").path
    databases = library_with_files(tmp_path / "dst", "/Media/2.mkv")
    before = tree(databases)
    with pytest.raises(DatabaseError, match="belongs to another library"):
        inject_archive(archive, databases)
    assert tree(databases) == before


def test_a_failed_export_leaves_the_old_archive(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    archive = export_archive(databases, tmp_path / "x.tar.zst").path
    good = archive.read_bytes()

    def cancel(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_archive(databases, archive, progress=cancel)
    assert archive.read_bytes() == good
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Plug-in Support", "x.tar.zst"]


def test_a_database_that_changes_during_the_export_fails_it(tmp_path):
    databases = reference_library(tmp_path)

    def intrude(progress):
        os.utime(databases / LIBRARY)

    with pytest.raises(DatabaseError, match="was changed while it was read"):
        export_archive(databases, tmp_path / "x.tar.zst", progress=intrude)
    assert not (tmp_path / "x.tar.zst").exists()


EXPORT = """
import sys
from pathlib import Path
from typing import Any
from plexsuper.database.archive import inject
from plexsuper.database.archive.writer import export_archive
print("go", flush=True)
export_archive(Path(sys.argv[1]), Path(sys.argv[2]), level=19)
"""


def test_a_kill_at_any_moment_leaves_no_archive_or_a_whole_one(tmp_path):
    databases = reference_library(tmp_path)
    archive = tmp_path / "x.tar.zst"
    before = tree(databases)
    killed = []
    for seed in range(8):
        killed.append(kill_at_random(EXPORT, databases, archive, seed=seed, longest=0.4))
        if archive.exists():
            verify_archive(archive)
    assert any(killed)
    assert tree(databases) == before
    export_archive(databases, archive)
    verify_archive(archive, check=sound)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Plug-in Support", "x.tar.zst"]


PEAK = """
import sys
from pathlib import Path
from typing import Any
from plexsuper.database.archive.inject import verify_archive
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = peak()
verify_archive(Path(sys.argv[1]))
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    archive = tmp_path / "x.tar.zst"
    databases = library_with_files(tmp_path / "src", "/Media/1.mkv")
    with writing(archive) as tar:
        add(tar, f"{DATABASES}/{LIBRARY}", (databases / LIBRARY).read_bytes())
        for number in range(4_000):
            add(tar, f"Metadata/{f'{number:0200}/' * 18}x")
            tar.members = []
    grown = int(subprocess.run([sys.executable, "-c", PEAK, archive], capture_output=True, check=True).stdout)
    assert grown < 15_000  # KiB; with every header kept it is 26,000
