"""Another Plex to deploy to: a simulated one started and stopped by shell scripts, and a real sshd in front of it."""

import atexit
import contextlib
import functools
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from plexsuper.clients.far_side.inventory import ask_identity
from plexsuper.clients.far_side.remote import FarSide, Target
from plexsuper.clients.plex.values import Identity
from plexsuper.database.archive.inject import verify_archive
from plexsuper.database.archive.shipping import Codec, choose_codec, shipped, stream_archive
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.files import LIBRARY
from plexsuper.deploy import Order
from plexsuper.errors import ServerError
from plexsuper.simulator.layout import Layout
from tests.database_library import library_content, reference_library
from tests.real_simulator import QUICK

SSHD = Path("/usr/sbin/sshd")
HAS_SSHD = SSHD.exists() and shutil.which("ssh") is not None and os.geteuid() == 0
KEPT = "Plug-in Support/Databases.snapshots"
DATED = f"{LIBRARY}-2026-11-01"
PATIENCE = 60.0

_START = """
cd {home}
if [ -f pid ] && kill -0 "$(cat pid)" 2>/dev/null && ! grep -q ") Z " "/proc/$(cat pid)/stat"; then exit 0; fi
nohup {python} -m plexsuper.simulator --data {data} --media {media} --port {port} --time-scale 4 --sections auto \
  {knobs} >>output 2>&1 </dev/null 9>&- &
echo $! >pid
"""
_STOP = """
cd {home}
[ -f pid ] || exit 0
pid=$(cat pid)
kill "$pid" 2>/dev/null || exit 0
while kill -0 "$pid" 2>/dev/null && ! grep -q ") Z " "/proc/$pid/stat"; do sleep 0.02; done
"""


class Elsewhere:
    """A simulated Plex in a directory of its own, started and stopped by shell scripts, as an administrator would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.layout = Layout(home / "data")
        self.port = free_port()
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
            "knobs": " ".join(f"--knob {knob}" for knob in QUICK),
        }
        for name, text in (("start", _START), ("stop", _STOP)):
            (home / name).write_text(text.format(**words))
        shutil.copytree(_lived_in(), self.layout.data)
        self.old = library_content(self.layout.databases)
        (self.layout.databases / DATED).write_bytes(b"a dated copy of Plex")
        self.run("start")
        self.await_answer()

    def order(self, archive: Path, **changes: object) -> Order:
        values: dict[str, object] = {
            "archive": archive,
            "target": str(self.layout.support),
            "stop": self.command("stop"),
            "start": self.command("start"),
            "url": self.url,
            "patience": PATIENCE,
        }
        return Order(**values | changes)  # type: ignore[arg-type] # the fields of an order, by name

    def command(self, what: str) -> str:
        return f"sh {shlex.quote(str(self.home / what))}"

    def run(self, what: str) -> None:
        subprocess.run(["sh", str(self.home / what)], check=True)

    def await_answer(self) -> Identity:
        until(lambda: _answers(self.url))
        return ask_identity(self.url)

    def content(self) -> tuple[str, str]:
        """Stop the server, and return what its databases hold."""
        self.run("stop")
        return library_content(self.layout.databases)

    def kept(self) -> list[str]:
        return names(self.layout.support)


@functools.cache
def _lived_in() -> Path:
    """Return what a server has left that has run once: made by one, and shared by all tests."""
    home = Path(tempfile.mkdtemp(prefix="plexsuper-elsewhere-"))
    atexit.register(shutil.rmtree, home)
    port = free_port()
    command = [sys.executable, "-m", "plexsuper.simulator", "--data", str(home / "data"), "--port", str(port)]
    command += [word for knob in QUICK for word in ("--knob", knob)]
    with (
        (home / "output").open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        until(lambda: _answers(f"http://127.0.0.1:{port}"))
        server.terminate()
    return home / "data"


def _answers(url: str) -> bool:
    try:
        ask_identity(url)
    except ServerError:
        return False
    return True


@contextlib.contextmanager
def plex_elsewhere(home: Path) -> Iterator[Elsewhere]:
    """Give a running server, and stop it in the end."""
    found = Elsewhere(home)
    try:
        yield found
    finally:
        found.run("stop")


def exported(home: Path) -> tuple[Path, tuple[str, str]]:
    """Return an archive of the reference library, and the content of its databases."""
    databases = reference_library(home)
    archive = home / "library.tar.zst"
    export_archive(databases, archive)
    return archive, library_content(databases)


def names(support: Path) -> list[str]:
    """Return what lies beside the databases, but for the lock."""
    return sorted(path.name for path in (support / KEPT).glob("*") if path.name != ".lock")


def beside(support: Path) -> FarSide:
    """Return the far side of a directory on this machine."""
    return FarSide(Target(None, str(support)))


def send(side: FarSide, archive: Path, *, zstd: bool = True, ticket: str = "t") -> None:
    """Do the first part of a deployment: everything until Plex is stopped."""
    manifest = verify_archive(archive).manifest
    assert manifest is not None
    sums, members = shipped(manifest, bundles=True)
    codec: Codec = choose_codec(archive, zstd=zstd)
    side.call("receive", codec.value, "1", sums, *members, ticket=ticket, feed=stream_archive(archive, codec))


def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sshd:
    """A real sshd on loopback with keys of its own; `ssh` is the command that reaches it as `elsewhere`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True
            )
        self.port = free_port()
        self.ssh = f"ssh -F {home / 'ssh_config'}"
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (home / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )
        (home / "ssh_config").write_text(
            f"Host elsewhere\n HostName 127.0.0.1\n Port {self.port}\n IdentityFile {home}/user\n IdentitiesOnly yes\n"
            f" StrictHostKeyChecking no\n UserKnownHostsFile {home}/known\n LogLevel ERROR\n"
        )

    @contextlib.contextmanager
    def serving(self) -> Iterator["Sshd"]:
        process = subprocess.Popen(
            [str(SSHD), "-f", str(self.home / "sshd_config"), "-D", "-E", str(self.home / "log")]
        )
        try:
            until(lambda: process.poll() is not None or self._listens())
            assert process.poll() is None, (self.home / "log").read_text()
            self.pid = process.pid
            yield self
        finally:
            process.terminate()
            process.wait()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
