"""The private place where mounts are made before anybody may see them, and what an earlier run left in it."""

import fcntl
import os
import select
import signal
from contextlib import suppress
from pathlib import Path

from plexsuper.clients.mounts.fusectl import connection_of
from plexsuper.clients.mounts.generation_record import GenerationRecord
from plexsuper.clients.mounts.syscalls import bind, detach, make_private
from plexsuper.clients.mounts.table import Mount, read_mounts
from plexsuper.clients.processes.lifetime import boot_id
from plexsuper.clients.processes.table import ProcessTable
from plexsuper.clients.rclone.process import LeftProcess, birth_of
from plexsuper.errors import StorageError

_OURS = ("rc", "log", "generation.json", "generation.json.new")
"""All files that a generation has in its directory."""

_MADE = "made"
"""The file that names all mounts that were made here."""


class Staging:
    """A directory of our own below *base*, on a mount that tells nobody what is mounted below it.

    Everything here is a matter of local disk and the kernel's tables; call it off the event loop. It is held by
    a lock for as long as it is open, so two supervisors cannot use one mount point.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self.root = base / "staging"
        self._lock = -1

    def open(self) -> None:
        """Take the place.

        Raises:
            StorageError: another plexsuper has it, or mounting is not allowed here.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._base / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._mounted(self.root):
                bind(str(self.root), str(self.root))
                make_private(str(self.root))
        except BlockingIOError:
            os.close(lock)
            raise StorageError(f"another plexsuper has {self._base}: end it first") from None
        except OSError as error:
            os.close(lock)
            raise StorageError(
                f"mounting is not allowed here ({error.strerror}): rclone mounts need root, or the capability SYS_ADMIN"
            ) from error
        self._lock = lock

    def close(self) -> None:
        """Give the place back; what is still mounted in it stays for the next one to find."""
        if self._lock < 0:
            return
        if not self.mounts() and not any(self.root.iterdir()):
            with suppress(OSError):
                detach(str(self.root))
                self.root.rmdir()
                for name in ("shared", _MADE, "lock"):
                    (self._base / name).unlink(missing_ok=True)
                self._base.rmdir()
        os.close(self._lock)
        self._lock = -1

    @property
    def shared(self) -> bool:
        """Whether we, or who was here before, made the mount point's parent a shared mount."""
        return (self._base / "shared").exists()

    def remember_share(self) -> None:
        """Note that the mount point's parent was made a shared mount, to be taken back at the end."""
        (self._base / "shared").touch()

    def remember(self, device: str) -> None:
        """Note that the mount *device* is of our making, for whoever finds it attached somewhere after our death."""
        with (self._base / _MADE).open("a", encoding="ascii") as file:
            file.write(f"{boot_id()} {device}\n")

    def made(self, mount: Mount) -> bool:
        """Whether *mount* is of our making, or of somebody's who was here before."""
        with suppress(FileNotFoundError):
            if f"{boot_id()} {mount.device}" in (self._base / _MADE).read_text(encoding="ascii").splitlines():
                return True
        records = map(GenerationRecord.read, self.directories())
        return any(record is not None and record.device == mount.device for record in records)

    def directories(self) -> list[Path]:
        """Return what there is of generations, oldest first."""
        return sorted(self.root.glob("gen-*"), key=_number)

    def next_number(self) -> int:
        """Return the number of the next generation."""
        return max((_number(directory) for directory in self.directories()), default=0) + 1

    def mounts(self) -> tuple[Mount, ...]:
        """Return what is mounted below."""
        below = f"{self.root}/"
        return tuple(mount for mount in read_mounts() if mount.point.startswith(below))

    def remove(self, directory: Path) -> bool:
        """Take away everything of the generation in *directory*, whose process has ended; False if it cannot be."""
        for mount in reversed(self.mounts()):
            if mount.point.startswith(f"{directory}/"):
                with suppress(OSError):
                    detach(mount.point)
        # Name by name, never a whole tree: below a mount that could not be detached lies the user's remote.
        for name in _OURS:
            with suppress(OSError):
                (directory / name).unlink()
        with suppress(OSError):
            (directory / "mnt").rmdir()
            directory.rmdir()
        return not directory.exists()

    def left(self) -> list[tuple[Path, GenerationRecord]]:
        """Return the generations in *root* whose process still runs, with their records."""
        found = []
        for directory in self.directories():
            record = GenerationRecord.read(directory)
            if record is not None and birth_of(record.pid) == record.birth:
                found.append((directory, record))
        return found

    def sweep(self, keep: Path | None = None) -> tuple[str, ...]:
        """End and remove everything but the generation in *keep*, and say what that was.

        What is attached elsewhere stays attached: it answers with errors, and those cost no library.
        """
        told = []
        for process in self._rclones():
            if keep is None or process.directory != keep:
                process.end()
                told.append(f"rclone process {process.left.pid}")
        for directory in self.directories():
            if directory != keep:
                self._abort(directory)
                self.remove(directory)
                told.append(str(directory))
        return tuple(told)

    def _abort(self, directory: Path) -> None:
        for mount in self.mounts():
            if mount.point.startswith(f"{directory}/") and (connection := connection_of(mount)) is not None:
                connection.abort()

    def _rclones(self) -> list["_Stray"]:
        """Find processes by what they were told to do: one may have been started and not yet written down."""
        table = ProcessTable()
        found = []
        for pid in table.pids():
            argv = table.argv(pid)
            if len(argv) > 3 and argv[1] == "mount" and argv[3].startswith(f"{self.root}/"):
                birth = birth_of(pid)
                if birth is not None:
                    found.append(_Stray(LeftProcess(pid, birth), Path(argv[3]).parent))
        return found

    @staticmethod
    def _mounted(path: Path) -> bool:
        return any(mount.point == str(path) for mount in read_mounts())


class _Stray:
    """An rclone that serves a generation of ours."""

    def __init__(self, left: LeftProcess, directory: Path) -> None:
        self.left = left
        self.directory = directory

    def end(self) -> None:
        """Kill it: its mount is of no use to anybody, and asking first would make it unmount."""
        self.left.send(signal.SIGKILL)
        descriptor = _pidfd(self.left.pid)
        if descriptor is not None:
            _wait_for(descriptor)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _wait_for(descriptor: int) -> None:
    """Wait at most a second for the end of a killed process."""
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(1000)
    finally:
        os.close(descriptor)


def _number(directory: Path) -> int:
    digits = directory.name.removeprefix("gen-")
    return int(digits) if digits.isdecimal() else 0
