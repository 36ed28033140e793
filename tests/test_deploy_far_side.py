"""Proves what the shell script on the other machine does: receive, exchange, undo, and finish after a crash."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from plexsuper.clients.far_side.remote import Target, parse_target
from plexsuper.database.archive.shipping import Codec, choose_codec
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.files import LIBRARY
from plexsuper.deploy import Order, deploy
from plexsuper.errors import PreflightError, SettingsError
from tests.database_library import files_of, held_open, library_content, library_with_files
from tests.elsewhere import KEPT, beside, exported, names, send, until

MEMBERS = (f"Plug-in Support/Databases/{LIBRARY}",)


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    """An archive, and the content of its databases."""
    return exported(tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize("zstd", [True, False], ids=["zstd", "gzip"])
def test_where_zstd_is_missing_the_stream_is_repacked(tmp_path, archived, zstd):
    archive, content = archived
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    assert choose_codec(archive, zstd=zstd) is (Codec.ZSTD if zstd else Codec.GZIP)
    side = beside(tmp_path)
    send(side, archive, zstd=zstd)
    assert side.call("swap", "then", ticket="t") == ""
    assert library_content(databases) == content


def test_pictures_move_with_the_databases_and_back(tmp_path):
    source, there = tmp_path / "source", tmp_path / "there"
    for home, text in ((source, "new"), (there, "old")):
        library_with_files(home, f"/Media/{text}.mkv")
        (home / "Metadata").mkdir()
        (home / "Metadata" / "poster.jpg").write_text(text)
    (source / "Media").mkdir()
    (source / "Media" / "index.bif").write_text("new")
    archive = tmp_path / "library.tar.gz"
    export_archive(source / "Plug-in Support/Databases", archive, bundles=True)
    side = beside(there)
    send(side, archive)
    side.call("swap", "then", ticket="t")
    assert (there / "Metadata/poster.jpg").read_text() == "new"
    assert (there / "Media/index.bif").read_text() == "new"
    assert (there / KEPT / "then/Metadata/poster.jpg").read_text() == "old"
    side.call("settle", "undo", ticket="t")
    assert (there / "Metadata/poster.jpg").read_text() == "old"
    assert not (there / "Media").exists()
    assert files_of(there / "Plug-in Support/Databases") == [b"/Media/old.mkv"]
    assert names(there) == []


@pytest.mark.lesson("F08")
def test_a_log_that_plex_left_is_kept_with_its_database(tmp_path, archived):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    (databases / f"{LIBRARY}-wal").write_bytes(b"frames")
    side = beside(tmp_path)
    send(side, archived[0])
    assert side.call("swap", "then", ticket="t") == "log\n"
    assert (tmp_path / KEPT / "then" / f"{LIBRARY}-wal").read_bytes() == b"frames"
    assert not (databases / f"{LIBRARY}-wal").exists()


def test_databases_that_somebody_has_open_are_not_swapped(tmp_path, archived):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    side = beside(tmp_path)
    send(side, archived[0])
    with held_open(databases / LIBRARY), pytest.raises(PreflightError, match="has the databases open"):
        side.call("swap", "then", ticket="t")
    assert files_of(databases) == [b"/Media/a.mkv"]


def test_only_the_deployment_that_came_last_may_swap_or_undo(tmp_path, archived):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    side = beside(tmp_path)
    send(side, archived[0])
    send(side, archived[0], ticket="another")
    with pytest.raises(PreflightError, match="another deployment has taken over"):
        side.call("swap", "then", ticket="t")
    assert files_of(databases) == [b"/Media/a.mkv"]
    side.call("swap", "then", ticket="another")
    for verb in (("settle", "undo"), ("confirm",)):
        with pytest.raises(PreflightError, match="another deployment has taken over"):
            side.call(*verb, ticket="t")
    with pytest.raises(PreflightError, match="a deployment is under way, or was interrupted"):
        send(side, archived[0])
    assert library_content(databases) == archived[1]
    side.call("confirm", ticket="another")
    assert names(tmp_path) == ["then"]


def test_a_swap_waits_for_the_end_of_what_a_lost_connection_left_running(tmp_path, archived):
    """The lock is the one that plexsuper itself takes beside the databases."""
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    side = beside(tmp_path)
    send(side, archived[0])
    lock = tmp_path / KEPT / ".lock"
    with subprocess.Popen(
        ["flock", str(lock), "sh", "-c", "echo held; read -r line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as rival:
        assert rival.stdout is not None
        assert rival.stdin is not None
        assert rival.stdout.readline() == b"held\n"
        with subprocess.Popen(
            ["sh", "-c", side._script, "plexsuper", "swap", str(tmp_path), "t", "then"]
        ) as swap:
            until(lambda: waits(swap.pid))
            assert files_of(databases) == [b"/Media/a.mkv"]
            rival.stdin.close()
            assert swap.wait(20) == 0
    assert library_content(databases) == archived[1]


def test_a_swap_that_waited_for_a_lock_that_was_removed_takes_the_one_that_is_there(tmp_path, archived):
    """A plexsuper removes the directory that it has made, and the lock in it, when there is nothing else in it."""
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    side = beside(tmp_path)
    send(side, archived[0])
    lock = tmp_path / KEPT / ".lock"
    with lock.open("r+b") as old:
        fcntl.flock(old, fcntl.LOCK_EX)
        with subprocess.Popen(
            ["sh", "-c", side._script, "plexsuper", "swap", str(tmp_path), "t", "then"]
        ) as swap:
            until(lambda: waits(swap.pid))
            lock.unlink()
            with lock.open("wb") as new:
                fcntl.flock(new, fcntl.LOCK_EX)
                fcntl.flock(old, fcntl.LOCK_UN)
                until(lambda: swap.poll() is not None or waits(swap.pid, lock.stat().st_ino))
                assert files_of(databases) == [b"/Media/a.mkv"]
            assert swap.wait(20) == 0
    assert library_content(databases) == archived[1]


def waits(pid, inode=""):
    """Say whether a child of *pid* is blocked by a lock, of the file *inode* if that is given."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    blocked = Path("/proc/locks").read_text()
    return any(
        f"-> FLOCK  ADVISORY  WRITE {child} " in line and (not inode or f":{inode} " in line)
        for child in children
        for line in blocked.splitlines()
    )


def test_a_full_disk_there_is_told_before_anything_is_sent(tmp_path, archived):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        (small / "Plug-in Support/Databases").mkdir(parents=True)
        with pytest.raises(
            PreflightError, match=r"no space: \d+ MiB needed in .*\nPlex there was not touched"
        ):
            deploy(Order(archive=archived[0], target=str(small)), say=print)
        side = beside(small)
        with pytest.raises(PreflightError, match="did not arrive whole"):
            send(side, archived[0])
        assert names(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_stream_that_is_cut_leaves_nothing(tmp_path, archived):
    library_with_files(tmp_path, "/Media/a.mkv")
    side = beside(tmp_path)
    data = archived[0].read_bytes()
    with pytest.raises(PreflightError, match="did not arrive whole"):
        side.call("receive", "zstd", "1", "", *MEMBERS, ticket="t", feed=[data[: len(data) // 2]])
    assert names(tmp_path) == []
    with pytest.raises(PreflightError, match="differ from the manifest"):
        side.call("receive", "zstd", "1", f"{'0' * 64}  {LIBRARY}", *MEMBERS, ticket="t", feed=[data])
    assert names(tmp_path) == []


def link(home):
    (home / "Plug-in Support").mkdir()
    (home / "Plug-in Support/Databases").symlink_to(home)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda home: None, "there is no Plug-in Support in"),
        (lambda home: (home / "Plug-in Support").mkdir(), "there is no directory Databases in"),
        (link, "is a link or a mount point"),
    ],
    ids=["nothing", "never started", "a link"],
)
def test_a_wrong_path_is_named(tmp_path, archived, damage, message):
    damage(tmp_path)
    with pytest.raises(PreflightError, match=message):
        deploy(Order(archive=archived[0], target=str(tmp_path)), say=print)


def test_a_tool_that_is_missing_there_is_named(tmp_path, monkeypatch):
    library_with_files(tmp_path, "/Media/a.mkv")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "tar", "gzip", "sha256sum", "df", "sed"):
        (tools / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(PreflightError, match="flock is missing on this machine: install it"):
        beside(tmp_path).call("look")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("me@host:/srv/Plex Media Server", Target("me@host", "/srv/Plex Media Server")),
        ("me@[::1]:/srv", Target("me@::1", "/srv")),
        ("/a:b/c", Target(None, "/a:b/c")),
    ],
)
def test_a_target_is_a_host_with_a_path_or_a_directory(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["-oProxyCommand=x:/srv", "host:relative"])
def test_a_target_that_ssh_would_misread_is_refused(text):
    with pytest.raises(SettingsError):
        parse_target(text)
