"""A Plex directory on this or another machine, changed through a POSIX shell: locally, or over plain ssh."""

import os
import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import urlsplit

from plexsuper.clients.processes.child import clean_environment
from plexsuper.errors import PlexsuperError, PreflightError, ServerAway, SettingsError
from plexsuper.redact import redact

SSH = ("ssh",)
_SSH_OPTIONS = [
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=15",
    "-o",
    "ServerAliveInterval=15",
    "-o",
    "ServerAliveCountMax=4",
]
_SSH_FAILED = 255
_HOST = re.compile(r"(?P<host>[^/:]+|[^/:]*\[[^/\]]+\]):(?P<root>/.*)")
_PATIENCE = 600.0
_TUNNEL_PATIENCE = 20.0
_POLL = 0.05
_SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Plex has its directory: *root* on *host* (`user@host`; None: this machine)."""

    host: str | None
    root: str

    def __str__(self) -> str:
        return self.root if self.host is None else f"{self.host}:{self.root}"


def parse_target(text: str) -> Target:
    """Return what *text* means: `user@host:/path` or a local path; raise `SettingsError` for anything else."""
    if found := _HOST.fullmatch(text):
        if found["host"].startswith("-"):
            raise SettingsError(f"{text}: a host name does not begin with a dash")
        return Target(found["host"].replace("[", "").replace("]", ""), found["root"])
    if ":" in text.partition("/")[0]:
        raise SettingsError(
            f"{text}: give user@host:/absolute/path, or a local directory (./{text} if it is one)"
        )
    return Target(None, os.path.abspath(text))  # noqa: PTH100 - links stay as they are


class FarSide:
    """Runs commands where *target* is. *ssh* is the argv of the ssh client, with options for it."""

    def __init__(self, target: Target, *, ssh: Sequence[str] = SSH) -> None:
        self.target = target
        self._ssh = (*ssh, *_SSH_OPTIONS)
        self._script = files(__package__).joinpath("far_side.sh").read_text(encoding="utf-8")

    def call(
        self,
        verb: str,
        *arguments: str,
        ticket: str = "-",
        feed: Iterable[bytes] = (),
        patience: float | None = _PATIENCE,
    ) -> str:
        """Carry out *verb* of `far_side.sh` and return what it printed; *feed* is its standard input.

        Raises:
            PreflightError: it said no; the message is its own.
            ServerAway: the connection failed or was late; whether the deed was done is not known.
        """
        command = ("sh", "-c", self._script, "plexsuper", verb, self.target.root, ticket, *arguments)
        return self._run(command, verb, feed, patience)

    def run(self, command: str, patience: float = _PATIENCE) -> str:
        """Run *command* with the shell there; errors as in `call`."""
        return self._run(("sh", "-c", command), command, (), patience)

    @contextmanager
    def reaching(self, url: str) -> Iterator[str]:
        """Give a URL under which the server that the other machine knows as *url* answers here, during the block.

        Raises:
            ServerAway: ssh does not forward the port.
        """
        if self.target.host is None:
            yield url
            return
        parts = urlsplit(url)
        far = f"{parts.hostname}:{parts.port or 32400}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        argv = [*self._ssh, "-o", "ExitOnForwardFailure=yes", "-N", "-L", f"127.0.0.1:{port}:{far}"]
        with tempfile.TemporaryFile() as errors:
            tunnel = subprocess.Popen(
                [*argv, self.target.host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env=clean_environment(),
            )
            try:
                _await_tunnel(tunnel, port, errors.fileno())
                yield f"{parts.scheme}://127.0.0.1:{port}{parts.path}"
            finally:
                tunnel.kill()
                tunnel.wait()

    def _run(self, command: Sequence[str], what: str, feed: Iterable[bytes], patience: float | None) -> str:
        argv = [*command]
        if self.target.host is not None:
            argv = [*self._ssh, self.target.host, shlex.join(command)]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                # A session of its own: Ctrl-C is for us, we decide what becomes of the other side
                child = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=errors,
                    start_new_session=True,
                    env=clean_environment(),
                )
            except OSError as error:
                raise PreflightError(f"cannot run {argv[0]}: {error.strerror}; install it") from error
            code = _finish(child, feed, patience)
            if code == 0:
                return _text(output.fileno())
            said = redact(_text(errors.fileno()).strip()[-_SHOWN:])
        raise self._failure(redact(what), code, said, patience)

    def _failure(self, what: str, code: int | None, said: str, patience: float | None) -> PlexsuperError:
        if code is None:
            return ServerAway(f"{self.target}: {what} did not end within {patience:g} s")
        if self.target.host is not None and code == _SSH_FAILED:
            return ServerAway(f"{self.target}: the connection failed: {said}")
        if code < 0:
            return ServerAway(f"{self.target}: {what} was killed (signal {-code}) {said}".rstrip())
        return PreflightError(f"{self.target}: {said or f'{what} failed with exit code {code}'}")


def _finish(child: "subprocess.Popen[bytes]", feed: Iterable[bytes], patience: float | None) -> int | None:
    """Feed *child* and return its exit code; None when it was late and has been killed."""
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError):  # it says itself why it stopped reading
            for block in feed:
                child.stdin.write(block)
        with suppress(BrokenPipeError):
            child.stdin.close()
        return child.wait(patience)
    except subprocess.TimeoutExpired:
        return None
    finally:
        child.kill()
        child.wait()
        with suppress(BrokenPipeError):
            child.stdin.close()


def _await_tunnel(tunnel: "subprocess.Popen[bytes]", port: int, errors: int) -> None:
    end = time.monotonic() + _TUNNEL_PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if tunnel.poll() is not None or time.monotonic() > end:
            raise ServerAway(f"ssh does not forward a port to the other side's Plex: {_text(errors).strip()}")
        time.sleep(_POLL)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode("utf-8", "replace")
