"""Proves that a swap killed at any of its steps leaves the old or the new library, and is undone or completed."""

import os
import shutil

import pytest

from plexsuper.database.archive.writer import export_archive
from plexsuper.database.files import BLOBS, DATABASES, LIBRARY
from plexsuper.errors import ServerAway
from tests.database_library import files_of, library_with_files
from tests.elsewhere import DATED, KEPT, beside, names, send

MV = """#!/bin/sh
# Counts the changes of the filesystem, and kills the shell that asks for one: before it is done, or after it.
count=$(($(cat "$STEPS/count") + 1))
echo "$count" >"$STEPS/count"
if [ "$count" = "$DIE_BEFORE" ]; then kill -9 "$PPID"; exit 1; fi
/bin/{tool} "$@"
status=$?
if [ "$count" = "$DIE_AFTER" ]; then kill -9 "$PPID"; fi
exit "$status"
"""


@pytest.fixture(scope="module")
def received(tmp_path_factory):
    """A Plex directory in which a new library waits to be swapped in, and the old and the new one as `state` gives them."""
    home = tmp_path_factory.mktemp("received")
    new = library_with_files(home / "source", "/Media/new.mkv")
    export_archive(new, home / "library.tar.gz")
    old = make_old(home / "plex")
    send(beside(home / "plex"), home / "library.tar.gz")
    return home / "plex", state(old), state(new)


class Steps:
    """Tools of the far side that end its shell, like a kill -9, at one of its steps."""

    def __init__(self, home, monkeypatch, *, exchange):
        self.home = home
        self._patch = monkeypatch
        home.mkdir()
        for tool in ("mv", "rm"):
            self._put(tool, MV.replace("{tool}", tool))
        self._put("sync", "#!/bin/sh\n")  # a killed shell loses nothing that it has written
        if not exchange:
            self._put("python3", "#!/bin/sh\nexit 1\n")
            self._put(
                "mv",
                MV.replace("{tool}", "mv").replace("count=", '[ "$1" != --exchange ] || exit 1\ncount=', 1),
            )
        monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
        monkeypatch.setenv("STEPS", str(home))
        self.spare()

    def _put(self, tool, text):
        (self.home / tool).write_text(text)
        (self.home / tool).chmod(0o755)

    def die(self, step, when):
        (self.home / "count").write_text("0")
        self._patch.setenv(f"DIE_{when}", str(step))

    def spare(self):
        (self.home / "count").write_text("0")
        for when in ("BEFORE", "AFTER"):
            self._patch.setenv(f"DIE_{when}", "never")


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_a_swap_killed_at_each_of_its_steps_is_undone_or_completed(
    tmp_path, received, monkeypatch, when, exchange
):
    template, old, new = received
    ends = set()
    steps = Steps(tmp_path / "steps", monkeypatch, exchange=exchange)
    for step in range(1, 40):
        support = tmp_path / str(step)
        shutil.copytree(template, support)
        side = beside(support)
        steps.die(step, when)
        finished = tried(side, "swap", "then")
        steps.spare()
        assert whole(support, old, new, exchange=exchange)
        if finished:
            break
        side.call("settle", "finish", ticket="t")
        now = state(support / DATABASES)
        assert now in (old, new)
        assert settled(support)
        ends.add("old" if now == old else "new")
    else:
        pytest.fail("the swap never came to its end")
    assert step > 4
    assert ends == {"old", "new"}


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_an_undoing_killed_at_each_of_its_steps_ends_with_the_old_library(
    tmp_path, received, monkeypatch, when, exchange
):
    template, old, new = received
    steps = Steps(tmp_path / "steps", monkeypatch, exchange=exchange)
    for step in range(1, 40):
        support = tmp_path / str(step)
        shutil.copytree(template, support)
        side = beside(support)
        side.call("swap", "then", ticket="t")
        steps.die(step, when)
        finished = tried(side, "settle", "undo")
        steps.spare()
        assert whole(support, old, new, exchange=exchange)
        side.call("settle", "undo", ticket="t")
        now = state(support / DATABASES)
        assert settled(support)
        assert now == old
        if finished:
            assert step > 4
            return
    pytest.fail("it never came to its end")


def make_old(support):
    databases = library_with_files(support, "/Media/old.mkv")
    (databases / DATED).write_bytes(b"a dated copy of Plex")
    return databases


def state(databases):
    """Return the bytes of both databases; nothing here opens them."""
    return (databases / LIBRARY).read_bytes(), (databases / BLOBS).read_bytes()


def tried(side, *arguments):
    """Say whether the verb came to its end."""
    try:
        side.call(*arguments, ticket="t")
    except ServerAway as error:
        return "was killed (signal 9)" not in str(error)
    return True


def whole(support, old, new, *, exchange):
    """Say whether the old or the new library is in place; where directories cannot be exchanged, both are somewhere."""
    databases = support / DATABASES
    if exchange or databases.exists():
        return state(databases) in (old, new)
    return {state(path.parent) for path in support.rglob(LIBRARY)} == {old, new}


def settled(support):
    """Say whether nothing of a deployment is left, but for the kept databases."""
    databases = support / DATABASES
    hidden = [path.name for path in databases.iterdir() if path.name.startswith(".")]
    return not hidden and (databases / DATED).exists() and set(names(support)) <= {"then"}


def test_what_plex_made_between_two_renames_is_moved_aside(tmp_path, received, monkeypatch):
    """Without an exchange in one step there is a moment without databases, in which somebody may start Plex."""
    template, old, _ = received
    steps = Steps(tmp_path / "steps", monkeypatch, exchange=False)
    for step in range(1, 40):
        support = tmp_path / str(step)
        shutil.copytree(template, support)
        steps.die(step, "AFTER")
        assert not tried(beside(support), "swap", "then")
        steps.spare()
        if not (support / DATABASES).exists():
            break
    library_with_files(support, "/Media/made-anew.mkv")
    beside(support).call("settle", "finish", ticket="t")
    assert state(support / DATABASES) == old
    assert files_of(support / KEPT / "then-made-meanwhile") == [b"/Media/made-anew.mkv"]
