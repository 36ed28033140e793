"""The steps of a deployment, and the way back from each of them."""

import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

from plexsuper.clients.far_side.inventory import ask_identity, count_items, difference, token_in
from plexsuper.clients.far_side.remote import FarSide, parse_target
from plexsuper.clients.plex.values import ServerNotUp
from plexsuper.database.archive.inject import verify_archive
from plexsuper.database.archive.shipping import choose_codec, needed_bytes, shipped, stream_archive
from plexsuper.database.copies.manifest import Manifest
from plexsuper.database.copies.snapshot import Check
from plexsuper.database.copies.store import BEFORE_DEPLOY
from plexsuper.database.progress import ProgressCallback
from plexsuper.database.statistics import LibraryStatistics
from plexsuper.deploy.order import Deployment, Order
from plexsuper.errors import DatabaseError, PlexsuperError, PreflightError, ServerAway, ServerRefused
from plexsuper.interrupts import Interrupts, held, now_done

_POLL = 0.25
_RESERVE_KB = 64 << 10
_UNKNOWN = "nothing is sent before --container, or --stop and --start, name that Plex: {}"
Say = Callable[[str], None]


class Deed:
    """One deployment: `steps` says what it would do, `carry_out` does it."""

    def __init__(self, order: Order, say: Say, progress: ProgressCallback | None) -> None:
        self._order = order
        self._say = say
        self._progress = progress
        self._side = FarSide(parse_target(order.target), ssh=shlex.split(order.ssh))
        self._ticket = secrets.token_hex(8)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]  # as `database.store` names its snapshots
        self._name = f"{stamp}-{BEFORE_DEPLOY}"

    def steps(self, check: Check | None) -> list[str]:
        """Verify the archive, look at the other side, and say what would follow."""
        order, manifest = self._order, self._verified(check)
        seen = self._look()
        codec = choose_codec(order.archive, zstd="zstd" in seen)
        first = (
            [f"finish what an interrupted deployment left on {order.target}"] if "unfinished" in seen else []
        )
        if "unknown" in seen:
            first.append(_UNKNOWN.format(seen["unknown"]))
        return [
            *first,
            f"send {order.archive} ({needed_bytes(manifest, bundles=order.bundles)} bytes unpacked, {seen['free']} KiB free there) as {codec.value}",
            f"stop Plex: {order.stop}",
            f"keep the old databases as Databases.snapshots/{self._name}, put the new ones in their place",
            f"start Plex: {order.start}",
            f"wait for {order.url}/identity, and for {len(_statistics(manifest).sections)} sections with the archive's counts",
        ]

    def carry_out(self, check: Check | None) -> Deployment:
        """Do it, or leave the other side as it was; errors as of `deploy`."""
        order = self._order
        manifest = self._verified(check)
        with Interrupts(), ExitStack() as stack:
            seen = self._look()
            if "unknown" in seen:
                raise PreflightError(_UNKNOWN.format(seen["unknown"]))
            url = stack.enter_context(self._side.reaching(order.url))
            if "unfinished" in seen:
                seen = self._finish_old(url)
            self._send(manifest, seen)
            log_kept, counted = self._take_over(url, manifest)
        return Deployment(
            target=order.target,
            kept=f"Plug-in Support/Databases.snapshots/{self._name}",
            log_kept=log_kept,
            sections=len(_statistics(manifest).sections),
            counted=counted,
        )

    def _verified(self, check: Check | None) -> Manifest:
        manifest = verify_archive(self._order.archive, check=check, progress=self._progress).manifest
        if manifest is None or manifest.statistics is None:
            lack = "has no manifest: `plexsuper db inject` it into an empty directory"
            if manifest is not None:
                lack = "is of a Plex too old to be counted: start a current Plex on it once"
            raise DatabaseError(
                f"{self._order.archive} {lack} and `plexsuper db export` that; nothing was sent"
            )
        return manifest

    def _look(self) -> dict[str, str]:
        """Return what the other side said: `zstd`, `unfinished` and `unknown` where it is so, and `free` in KiB."""
        lines = [line.partition(" ") for line in self._side.call("look").splitlines()]
        seen = {key: value for key, _, value in lines}
        try:
            self._side.run(self._order.known)
        except PreflightError as error:
            seen["unknown"] = " ".join(str(error).split())
        return seen

    def _finish_old(self, url: str) -> dict[str, str]:
        self._say("finishing what an interrupted deployment left")
        self._stop(url)
        self._side.call("settle", "finish")
        self._side.run(self._order.start, self._order.patience)
        return self._look()

    def _send(self, manifest: Manifest, seen: dict[str, str]) -> None:
        order = self._order
        codec = choose_codec(order.archive, zstd="zstd" in seen)
        sums, names = shipped(manifest, bundles=order.bundles)
        self._say(f"sending {order.archive} as {codec.value}")
        try:
            self._side.call(
                "receive",
                codec.value,
                str(needed_bytes(manifest, bundles=order.bundles) // 1024 + _RESERVE_KB),
                sums,
                *names,
                ticket=self._ticket,
                feed=stream_archive(order.archive, codec, self._progress),
                patience=None,
            )
        except (ServerAway, PreflightError) as error:
            raise type(error)(
                f"{error}\nPlex there was not touched and runs on with its old databases"
            ) from error

    def _take_over(self, url: str, manifest: Manifest) -> tuple[bool, dict[int, int | None] | None]:
        """Stop Plex, swap, start it with the new library; return whether the old one left a log, and the counts.

        If it fails, or a signal comes, the old databases are in place, and Plex is started.
        """
        order, exchanged = self._order, False
        with ExitStack() as safe:
            try:
                self._say("stopping Plex")
                self._stop(url)
                self._say("exchanging the databases")
                exchanged = True  # perhaps: `undo` knows
                with held():
                    log_kept = "log" in self._side.call("swap", self._name, ticket=self._ticket).split()
                self._say("starting Plex")
                self._side.run(order.start, order.patience)
                counted = self._await_library(url, manifest)
                safe.enter_context(held())
            except BaseException as error:
                with held():
                    if exchanged:
                        self._put_back(url, error)
                    else:
                        self._start_again(error, "Nothing was changed there")
                raise
            self._confirm()
        return log_kept, counted

    def _stop(self, url: str) -> None:
        """Stop Plex, and return when nobody answers and nobody has the databases open.

        Only then is the write-ahead log folded in, or final (lesson F08).
        """
        self._side.run(self._order.stop, self._order.patience)
        for _ in self._until_late():
            if not _answers(url) and not self._side.call("holder").strip():
                return
        raise ServerRefused(
            f"{self._order.target}: Plex still answers or has its databases open {self._order.patience:g} s after"
            f" `{self._order.stop}`: give the right --stop"
        )

    def _put_back(self, url: str, cause: BaseException) -> None:
        """Give the other side its old databases and start it; *cause* goes on when that worked."""
        self._say("putting the old databases back")
        try:
            self._stop(url)
            self._side.call("settle", "undo", ticket=self._ticket)
        except PlexsuperError as error:
            raise type(error)(
                f"{_why(cause)}\nThe old databases could not be put back: {error}\nThey are complete: in place, or in"
                f" Databases.snapshots/{self._name} in Plug-in Support; the same command again finishes this"
            ) from cause
        self._start_again(cause, "The old databases are in place")

    def _start_again(self, cause: BaseException, state: str) -> None:
        try:
            self._side.run(self._order.start, self._order.patience)
        except PlexsuperError as error:
            raise type(error)(
                f"{_why(cause)}\n{state}, but Plex was not started again: {error}\nStart it by hand"
            ) from cause
        if isinstance(cause, PlexsuperError):
            raise type(cause)(f"{_why(cause)}\n{state}, and Plex was started again") from cause
        self._say(f"{state}, and Plex was started again")

    def _await_library(self, url: str, manifest: Manifest) -> dict[int, int | None] | None:
        """Return the counts when they are those of *manifest*."""
        problem = "it does not answer"
        for _ in self._until_late():
            try:
                ask_identity(url)
                counted = count_items(url, token_in(self._side.call("preferences")))
            except ServerAway as error:
                problem = str(error)
                continue
            except ServerRefused as error:
                if "answered 401" not in str(error):
                    raise
                self._say(
                    "it answers; its counts cannot be asked, it does not take the token in its Preferences.xml"
                )
                return None
            problem = difference(_statistics(manifest), counted)
            if not problem:
                return counted
        raise ServerRefused(
            f"{self._order.target}: Plex did not come up with the new library within {self._order.patience:g} s: {problem}"
        )

    def _confirm(self) -> None:
        """Tell the other side that its journal may go; the new library stays, whatever becomes of this."""
        now_done(f"{self._order.target}: the new library is in place, and Plex answers with it")
        try:
            self._side.call("confirm", ticket=self._ticket)
        except PlexsuperError as error:
            raise type(error)(f"{error}\nThe new library is in place, and Plex answers with it") from error

    def _until_late(self) -> Iterator[None]:
        end = time.monotonic() + self._order.patience
        while True:
            yield
            if time.monotonic() > end:
                return
            time.sleep(_POLL)


def _answers(url: str) -> bool:
    try:
        ask_identity(url)
    except ServerNotUp as error:
        return error.status is not None
    return True


def _statistics(manifest: Manifest) -> LibraryStatistics:
    assert manifest.statistics is not None  # asked when it was verified
    return manifest.statistics


def _why(cause: BaseException) -> str:
    return str(cause) or f"interrupted ({type(cause).__name__})"
