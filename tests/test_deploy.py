import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from plexsuper.clients.inventory import ask_identity
from plexsuper.clients.remote import FarSide, Target, parse_target
from plexsuper.database.archive import export_archive
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.database.inject import verify_archive
from plexsuper.database.shipping import choose_codec, shipped, stream_archive
from plexsuper.deploy import Order, deploy, planned
from plexsuper.errors import DatabaseError, PreflightError, ServerError, SettingsError
from plexsuper.simulator.layout import Layout
from tests.database_library import (
    files_of,
    held_open,
    library_content,
    library_with_files,
    reference_library,
    tree,
)

SSHD = Path("/usr/sbin/sshd")
KEPT = "Plug-in Support/Databases.snapshots"

START = """
cd {home}
nohup {python} -m plexsuper.simulator --data {data} --media {media} --port {port} --time-scale 4 --sections auto \
  --knob refused_seconds=0 --knob maintenance_seconds=0.1 --knob starting_seconds=0.1 --knob butler_every=0 \
  >>output 2>&1 </dev/null &
echo $! >pid
"""
STOP = """
cd {home}
[ -f pid ] || exit 0
pid=$(cat pid)
kill "$pid" 2>/dev/null || exit 0
while kill -0 "$pid" 2>/dev/null && ! grep -q ") Z " "/proc/$pid/stat"; do sleep 0.02; done
"""


class Elsewhere:
    """A simulated Plex in a directory of its own, started and stopped by shell scripts, as an administrator would."""

    def __init__(self, home):
        self.home = home
        self.layout = Layout(home / "data")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        home.mkdir()
        film = home / "media" / "Movies" / "Old (1999)" / "Old (1999).mkv"
        film.parent.mkdir(parents=True)
        film.write_bytes(b"film")
        words = {
            "home": shlex.quote(str(home)),
            "python": shlex.quote(sys.executable),
            "data": shlex.quote(str(self.layout.data)),
            "media": shlex.quote(str(home / "media")),
            "port": self.port,
        }
        for name, text in (("start", START), ("stop", STOP)):
            (home / name).write_text(text.format(**words))

    def order(self, archive, **changes):
        return Order(
            **{
                "archive": archive,
                "target": str(self.layout.support),
                "stop": f"sh {shlex.quote(str(self.home / 'stop'))}",
                "start": f"sh {shlex.quote(str(self.home / 'start'))}",
                "url": self.url,
                "patience": 20.0,
                **changes,
            }
        )

    def run(self, what):
        subprocess.run(["sh", str(self.home / what)], check=True)

    def await_answer(self):
        end = time.monotonic() + 20
        while True:
            try:
                return ask_identity(self.url)
            except ServerError:
                assert time.monotonic() < end, (self.home / "output").read_text()[-2000:]
                time.sleep(0.02)

    def content(self):
        """Stop the server, and return what its databases hold."""
        self.run("stop")
        return library_content(self.layout.databases)

    def kept(self):
        return sorted(p.name for p in (self.layout.support / KEPT).iterdir())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An archive, and the content of its databases."""
    home = tmp_path_factory.mktemp("source")
    databases = reference_library(home)
    archive = home / "library.tar.zst"
    export_archive(databases, archive)
    return archive, library_content(databases)


@pytest.fixture
def elsewhere(tmp_path):
    found = Elsewhere(tmp_path / "else where's")
    found.run("start")
    try:
        found.await_answer()
        found.run("stop")
        found.old = library_content(found.layout.databases)
        (found.layout.databases / f"{LIBRARY}-2026-11-01").write_bytes(b"a dated copy of Plex")
        found.run("start")
        found.await_answer()
        yield found
    finally:
        found.run("stop")


def ignore(_line):
    pass


@pytest.mark.lesson("F07")
@pytest.mark.lesson("F08")
def test_a_library_moves_into_a_running_plex_and_the_old_one_is_kept(elsewhere, exported):
    archive, content = exported
    os.chown(elsewhere.layout.library, 1234, 2345)
    elsewhere.layout.library.chmod(0o640)
    done = deploy(elsewhere.order(archive), say=ignore)
    assert elsewhere.await_answer().version
    assert done.sections == 8
    assert sum(count or 0 for count in done.counted.values()) > 400
    kept = elsewhere.layout.support / done.kept
    status = elsewhere.layout.library.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o640)
    assert elsewhere.content() == content
    assert library_content(kept) == elsewhere.old
    assert (elsewhere.layout.databases / f"{LIBRARY}-2026-11-01").read_bytes() == b"a dated copy of Plex"
    assert elsewhere.kept() == [kept.name]


def test_a_dry_run_names_the_steps_and_changes_nothing(tmp_path, exported):
    archive, _ = exported
    library_with_files(tmp_path, "/Media/a.mkv")
    before = tree(tmp_path)
    steps = planned(Order(archive=archive, target=str(tmp_path)))
    assert [step.split()[0] for step in steps] == ["send", "stop", "keep", "start", "wait"]
    assert steps[1:4:2] == [
        "stop Plex: systemctl stop plexmediaserver",
        "start Plex: systemctl start plexmediaserver",
    ]
    assert tree(tmp_path) == before


def test_a_damaged_archive_is_not_sent(exported, tmp_path):
    broken = tmp_path / "broken.tar.zst"
    data = bytearray(exported[0].read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken.write_bytes(data)
    with pytest.raises(DatabaseError, match="damaged|differs"):
        deploy(Order(archive=broken, target=str(tmp_path / "nowhere")), say=ignore)


def test_when_the_counts_do_not_come_the_old_library_is_put_back(elsewhere, exported, tmp_path):
    """The start command destroys the new library's sections, as a server of another kind might."""
    archive, _ = exported
    spoil = (
        "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]);"
        'c.execute("DELETE FROM library_sections WHERE id = 8"); c.commit()'
    )
    library = shlex.quote(str(elsewhere.layout.library))
    start = (
        f"{sys.executable} -c {shlex.quote(spoil)} {library}; sh {shlex.quote(str(elsewhere.home / 'start'))}"
    )
    with pytest.raises(
        ServerError, match="is not listed(.|\n)*old databases are in place, and Plex was started"
    ):
        deploy(elsewhere.order(archive, start=start, patience=3.0), say=ignore)
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old
    assert elsewhere.kept() == []
    assert (elsewhere.layout.databases / f"{LIBRARY}-2026-11-01").exists()


def test_when_plex_does_not_start_the_old_library_is_put_back_and_the_message_says_so(elsewhere, exported):
    archive, _ = exported
    with pytest.raises(PreflightError, match="old databases are in place, but Plex was not started"):
        deploy(elsewhere.order(archive, start="echo no such unit >&2; exit 5"), say=ignore)
    assert elsewhere.content() == elsewhere.old


def test_a_plex_that_does_not_stop_keeps_its_library(elsewhere, exported):
    with pytest.raises(
        ServerError, match="still answers(.|\n)*Nothing was changed there, and Plex was started"
    ):
        deploy(elsewhere.order(exported[0], stop="true", start="true", patience=0.5), say=ignore)
    assert elsewhere.content() == elsewhere.old


def test_a_signal_while_plex_starts_puts_the_old_library_back(elsewhere, exported):
    order = elsewhere.order(exported[0])
    main, said = threading.main_thread().ident, []

    def say(line):
        said.append(line)
        if line == "starting Plex":
            signal.pthread_kill(main, signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        deploy(order, say=say)
    assert said[-1] == "The old databases are in place, and Plex was started again"
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old


@pytest.mark.parametrize("step", ["journal", "gap", "anew", "placed", "back"])
def test_what_a_killed_swap_left_is_settled(tmp_path, exported, step):
    """The states between two renames, made by the renames themselves."""
    archive, content = exported
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    old = library_content(databases)
    (databases / f"{LIBRARY}-2026-11-01").write_bytes(b"a dated copy of Plex")
    leave_unfinished(tmp_path, archive, step)
    FarSide(Target(None, str(tmp_path))).call("settle")
    home = tmp_path / KEPT
    assert library_content(databases) == (content if step == "placed" else old)
    assert (databases / f"{LIBRARY}-2026-11-01").exists()
    assert not (home / "deploy.journal").exists()
    assert [p.name for p in home.glob("then*")] == {"placed": ["then"], "anew": ["then-made-meanwhile"]}.get(
        step, []
    )


def test_the_next_call_settles_first_and_then_deploys(elsewhere, exported):
    archive, content = exported
    elsewhere.run("stop")
    leave_unfinished(elsewhere.layout.support, archive, "gap")
    assert planned(elsewhere.order(archive))[0].startswith("finish what an interrupted deployment left")
    done = deploy(elsewhere.order(archive), say=ignore)
    assert library_content(elsewhere.layout.support / done.kept) == elsewhere.old
    assert elsewhere.content() == content
    assert elsewhere.kept() == [Path(done.kept).name]


def leave_unfinished(support, archive, step):
    """Make what a deployment leaves that was killed at *step*."""
    home, databases = support / KEPT, support / "Plug-in Support" / "Databases"
    home.mkdir()
    work, kept = home / ".deploy-old", home / "then"
    shutil.copytree(archive.parent / "Plug-in Support" / "Databases", work / "new")
    (home / "deploy.journal").write_text("back old then\n" if step == "back" else "swap old then\n")
    if step != "journal":
        databases.rename(kept)
    if step == "anew":
        databases.mkdir()
    if step == "placed":
        (work / "new").rename(databases)
    if step == "back":
        (work / "new").rename(home / ".deploy-replaced")


@pytest.mark.parametrize("tools", [("gzip",), ()], ids=["gzip", "plain"])
def test_where_zstd_is_missing_the_stream_is_repacked(tmp_path, exported, tools):
    archive, content = exported
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    codec = choose_codec(archive, {f"tool {tool}" for tool in tools})
    assert codec.value == (tools[0] if tools else "plain")
    manifest = verify_archive(archive).manifest
    assert manifest
    sums, names = shipped(manifest, bundles=True)
    side = FarSide(Target(None, str(tmp_path)))
    side.call("receive", codec.value, sums, *names, ticket="t", feed=stream_archive(archive, codec))
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
    manifest = export_archive(source / "Plug-in Support/Databases", archive, bundles=True).manifest
    sums, names = shipped(manifest, bundles=True)
    side = FarSide(Target(None, str(there)))
    side.call("receive", "gzip", sums, *names, ticket="t", feed=[archive.read_bytes()])
    side.call("swap", "then", ticket="t")
    assert (there / "Metadata/poster.jpg").read_text() == "new"
    assert (there / "Media/index.bif").read_text() == "new"
    assert (there / KEPT / "then/Metadata/poster.jpg").read_text() == "old"
    side.call("back", "then", ticket="t")
    assert (there / "Metadata/poster.jpg").read_text() == "old"
    assert not (there / "Media").exists()
    assert files_of(there / "Plug-in Support/Databases") == [b"/Media/old.mkv"]
    assert list((there / KEPT).iterdir()) == []


def test_an_archive_without_a_manifest_is_refused(tmp_path):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    archive = tmp_path / "foreign.tar.gz"
    subprocess.run(["tar", "czf", str(archive), "-C", str(databases), LIBRARY, BLOBS], check=True)
    with pytest.raises(DatabaseError, match="has no manifest.*nothing was sent"):
        deploy(Order(archive=archive, target=str(tmp_path)), say=ignore)


@pytest.mark.lesson("F08")
def test_a_log_that_plex_left_is_kept_with_its_database(tmp_path, exported):
    archive, _ = exported
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    (databases / f"{LIBRARY}-wal").write_bytes(b"frames")
    names = [f"Plug-in Support/Databases/{name}" for name in (LIBRARY, BLOBS)]
    side = FarSide(Target(None, str(tmp_path)))
    side.call("receive", "zstd", "", *names, ticket="t", feed=[archive.read_bytes()])
    assert side.call("swap", "then", ticket="t") == "log\n"
    assert (tmp_path / KEPT / "then" / f"{LIBRARY}-wal").read_bytes() == b"frames"
    assert not (databases / f"{LIBRARY}-wal").exists()


def test_databases_that_somebody_has_open_are_not_swapped(tmp_path, exported):
    archive, _ = exported
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    names = [f"Plug-in Support/Databases/{name}" for name in (LIBRARY, BLOBS)]
    side = FarSide(Target(None, str(tmp_path)))
    side.call("receive", "zstd", "", *names, ticket="t", feed=[archive.read_bytes()])
    with held_open(databases / LIBRARY), pytest.raises(PreflightError, match="has the databases open"):
        side.call("swap", "then", ticket="t")
    assert files_of(databases) == [b"/Media/a.mkv"]
    side.call("receive", "zstd", "", *names, ticket="another", feed=[archive.read_bytes()])
    with pytest.raises(PreflightError, match="another deployment has taken over"):
        side.call("swap", "then", ticket="t")


def test_a_full_disk_there_is_told_before_anything_is_sent(tmp_path, exported):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        (small / "Plug-in Support/Databases").mkdir(parents=True)
        with pytest.raises(PreflightError, match="no space: .* KiB needed.*nothing was changed"):
            deploy(Order(archive=exported[0], target=str(small)), say=ignore)
        side = FarSide(Target(None, str(small)))
        with pytest.raises(PreflightError, match="did not arrive whole"):
            side.call("receive", "plain", "", "x", ticket="t", feed=[bytes(4 << 20)])
        assert list((small / KEPT).iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_stream_that_is_cut_leaves_nothing(tmp_path, exported):
    library_with_files(tmp_path, "/Media/a.mkv")
    side = FarSide(Target(None, str(tmp_path)))
    data = exported[0].read_bytes()
    names = [f"Plug-in Support/Databases/{name}" for name in (LIBRARY, BLOBS)]
    with pytest.raises(PreflightError, match="did not arrive whole"):
        side.call("receive", "zstd", "", *names, ticket="t", feed=[data[: len(data) // 2]])
    assert list((tmp_path / KEPT).iterdir()) == []
    with pytest.raises(PreflightError, match="differ from the manifest"):
        side.call("receive", "zstd", f"{'0' * 64}  {LIBRARY}", *names, ticket="t", feed=[data])
    assert list((tmp_path / KEPT).iterdir()) == []


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


@contextlib.contextmanager
def sshd(home):
    """Run a real sshd on loopback; give the ssh command for it."""
    home.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    (home / "ssh_config").write_text(
        f"Host elsewhere\n HostName 127.0.0.1\n Port {port}\n IdentityFile {home}/user\n IdentitiesOnly yes\n"
        f" StrictHostKeyChecking no\n UserKnownHostsFile {home}/known\n LogLevel ERROR\n"
    )
    process = subprocess.Popen([str(SSHD), "-f", str(home / "sshd_config"), "-D", "-E", str(home / "log")])
    try:
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None and time.monotonic() < end, (home / "log").read_text()
            time.sleep(0.02)
        yield f"ssh -F {home / 'ssh_config'}"
    finally:
        process.terminate()
        process.wait()


needs_sshd = pytest.mark.skipif(
    not SSHD.exists() or shutil.which("ssh") is None or os.geteuid() != 0,
    reason="needs openssh-server and root: apt install openssh-server",
)


@needs_sshd
def test_a_library_moves_over_ssh(elsewhere, exported, tmp_path):
    archive, content = exported
    with sshd(tmp_path / "sshd") as ssh:
        target = f"root@elsewhere:{elsewhere.layout.support}"
        done = deploy(elsewhere.order(archive, target=target, ssh=ssh), say=ignore)
    assert done.sections == 8
    assert elsewhere.content() == content


@needs_sshd
def test_a_connection_that_dies_while_sending_leaves_the_old_plex_running(elsewhere, exported, tmp_path):
    with sshd(tmp_path / "sshd") as ssh:
        support = elsewhere.layout.support
        target = Target("root@elsewhere", str(support))
        side = FarSide(target, ssh=ssh.split())
        names = [f"Plug-in Support/Databases/{name}" for name in (LIBRARY, BLOBS)]
        data = exported[0].read_bytes()

        def cut():
            yield data[: len(data) // 2]
            end = time.monotonic() + 10
            while not list((support / KEPT).glob(".deploy-t/in")):
                assert time.monotonic() < end
                time.sleep(0.02)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            side.call("receive", "zstd", "", *names, ticket="t", feed=cut())
        assert elsewhere.await_answer().version
        end = time.monotonic() + 10
        while list((support / KEPT).iterdir()):
            assert time.monotonic() < end
            time.sleep(0.02)
    assert elsewhere.content() == elsewhere.old


@needs_sshd
def test_a_host_that_refuses_us_is_told_without_a_question(elsewhere, exported, tmp_path):
    with sshd(tmp_path / "sshd") as ssh:
        (tmp_path / "sshd" / "user.pub").write_text("")
        target = f"root@elsewhere:{elsewhere.layout.support}"
        with pytest.raises(ServerError, match="the connection failed: .*Permission denied"):
            deploy(elsewhere.order(exported[0], target=target, ssh=ssh), say=ignore)
