"""Proves that a library moves into another Plex, and that the old one comes back when the new one does not live."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from plexsuper.cli.database_output import outcome
from plexsuper.clients.far_side.remote import FarSide
from plexsuper.database.copies.store import list_snapshots
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.deploy import Order, deploy, knowing, planned
from plexsuper.errors import DatabaseError, PreflightError, ServerError
from tests.database_library import library_content, library_with_files, tree
from tests.elsewhere import DATED, beside, exported, plex_elsewhere, send, until


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    """An archive, and the content of its databases."""
    return exported(tmp_path_factory.mktemp("source"))


@pytest.fixture
def elsewhere(tmp_path):
    with plex_elsewhere(tmp_path / "else where's") as found:
        yield found


def ignore(_line):
    pass


@pytest.mark.lesson("F07")
@pytest.mark.lesson("F08")
def test_a_library_moves_into_a_running_plex_and_the_old_one_is_kept(elsewhere, archived):
    archive, content = archived
    os.chown(elsewhere.layout.library, 1234, 2345)
    elsewhere.layout.library.chmod(0o640)
    done = deploy(elsewhere.order(archive), say=ignore)
    assert elsewhere.await_answer().version
    assert done.sections == 8
    assert done.counted is not None
    assert sum(count or 0 for count in done.counted.values()) > 400
    kept = elsewhere.layout.support / done.kept
    status = elsewhere.layout.library.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o640)
    assert elsewhere.content() == content
    assert library_content(kept) == elsewhere.old
    assert (elsewhere.layout.databases / DATED).read_bytes() == b"a dated copy of Plex"
    assert elsewhere.kept() == [kept.name]


def test_a_dry_run_names_the_steps_and_changes_nothing(tmp_path, archived):
    archive, _ = archived
    library_with_files(tmp_path, "/Media/a.mkv")
    before = tree(tmp_path)
    steps = planned(Order(archive=archive, target=str(tmp_path)))
    assert [step.split()[0] for step in steps] == ["send", "stop", "keep", "start", "wait"]
    assert steps[1:4:2] == [
        "stop Plex: systemctl stop plexmediaserver",
        "start Plex: systemctl start plexmediaserver",
    ]
    assert tree(tmp_path) == before


def test_the_steps_of_a_dry_run_stand_on_a_line_each(tmp_path, archived):
    library_with_files(tmp_path, "/Media/a.mkv")
    order = Order(archive=archived[0], target=str(tmp_path))
    done = subprocess.run(
        [*words(order), "--no-check", "--dry-run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["send", "stop", "keep", "start", "wait"]


def test_a_container_that_is_not_there_is_told_before_anything_is_sent(elsewhere, archived, monkeypatch):
    empty = elsewhere.home / "docker.sock"  # an engine that nobody runs knows no container
    monkeypatch.setenv("DOCKER_HOST", f"unix://{empty}")
    order = elsewhere.order(archived[0], known=knowing("no-such-plex"))
    said: list[str] = []
    with pytest.raises(
        PreflightError, match="nothing is sent before --container, or --stop and --start, name"
    ):
        deploy(order, say=said.append)
    assert said == []
    assert planned(order)[0].startswith("nothing is sent before --container")
    command = [*CLI, archived[0], elsewhere.layout.support, "--no-check", "--dry-run"]
    systemctl = elsewhere.home / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\necho No files found for plexmediaserver.service. >&2\nexit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    for options in (["--container", "no-such-plex"], []):
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        assert done.stdout.startswith("nothing is sent before --container"), done.stdout + done.stderr
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old


def test_a_damaged_archive_is_not_sent(archived, tmp_path):
    broken = tmp_path / "broken.tar.zst"
    data = bytearray(archived[0].read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken.write_bytes(data)
    with pytest.raises(DatabaseError, match=r"damaged|differs"):
        deploy(Order(archive=broken, target=str(tmp_path / "nowhere")), say=ignore)


def test_when_the_counts_do_not_come_the_old_library_is_put_back(elsewhere, archived, tmp_path):
    """The start command destroys the new library's sections, as a server of another kind might."""
    archive, _ = archived
    spoil = (
        "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]);"
        'c.execute("DELETE FROM library_sections WHERE id = 8"); c.commit()'
    )
    library = shlex.quote(str(elsewhere.layout.library))
    start = (
        f"{sys.executable} -c {shlex.quote(spoil)} {library}; sh {shlex.quote(str(elsewhere.home / 'start'))}"
    )
    with pytest.raises(
        ServerError, match=r"is not listed(.|\n)*old databases are in place, and Plex was started"
    ):
        deploy(elsewhere.order(archive, start=start, patience=15.0), say=ignore)
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old
    assert elsewhere.kept() == []
    assert (elsewhere.layout.databases / DATED).exists()


def test_when_plex_does_not_start_the_old_library_is_put_back_and_the_message_says_so(elsewhere, archived):
    archive, _ = archived
    with pytest.raises(PreflightError, match="old databases are in place, but Plex was not started"):
        deploy(elsewhere.order(archive, start="echo no such unit >&2; exit 5"), say=ignore)
    assert elsewhere.content() == elsewhere.old


def test_a_plex_that_does_not_stop_keeps_its_library(elsewhere, archived):
    with pytest.raises(
        ServerError, match=r"still answers(.|\n)*Nothing was changed there, and Plex was started"
    ):
        deploy(elsewhere.order(archived[0], stop="true", start="true", patience=0.5), say=ignore)
    assert elsewhere.content() == elsewhere.old


def test_a_signal_while_plex_starts_puts_the_old_library_back(elsewhere, archived):
    order = elsewhere.order(archived[0])
    main, said = threading.get_ident(), []

    def say(line):
        said.append(line)
        if line == "starting Plex":
            signal.pthread_kill(main, signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        deploy(order, say=say)
    assert said[-1] == "The old databases are in place, and Plex was started again"
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old


@pytest.mark.parametrize("moment", ["exchanging the databases", "confirm"])
def test_a_signal_is_told_how_it_stands_with_the_other_side(elsewhere, archived, monkeypatch, capsys, moment):
    def send_at(found):
        if found == moment:
            signal.raise_signal(signal.SIGTERM)

    call = FarSide.call

    def with_signal(side, verb, *arguments, **options):
        send_at(verb)
        return call(side, verb, *arguments, **options)

    def deed():
        with outcome(as_json=True):
            deploy(elsewhere.order(archived[0]), say=send_at)

    monkeypatch.setattr(FarSide, "call", with_signal)
    with pytest.raises(Exception, match="130"):
        deed()
    done = f"{elsewhere.layout.support}: the new library is in place, and Plex answers with it; the rest is as before"
    as_before = "the databases are as before"
    said = {"confirm": done, "exchanging the databases": as_before}[moment]
    assert json.loads(capsys.readouterr().out)["error"] == f"interrupted; {said}"
    assert elsewhere.await_answer().version
    new = {"confirm": archived[1], "exchanging the databases": elsewhere.old}[moment]
    assert elsewhere.content() == new


def test_the_next_call_finishes_what_a_killed_one_left_and_then_deploys(elsewhere, archived):
    archive, content = archived
    elsewhere.run("stop")
    side = beside(elsewhere.layout.support)
    send(side, archive)
    side.call("swap", "then", ticket="t")
    assert planned(elsewhere.order(archive))[0].startswith("finish what an interrupted deployment left")
    done = deploy(elsewhere.order(archive), say=ignore)
    assert library_content(elsewhere.layout.support / done.kept) == content
    assert library_content(elsewhere.layout.databases.parent / "Databases.snapshots/then") == elsewhere.old
    assert elsewhere.content() == content


def test_a_deployment_that_was_overtaken_leaves_everything_to_the_other(elsewhere, archived):
    """The second one begins while the first one waits for Plex."""
    archive, content = archived
    first = elsewhere.order(archive)

    def say(line):
        if line == "starting Plex":
            deploy(elsewhere.order(archive), say=ignore)

    with pytest.raises(PreflightError, match="another deployment has taken over"):
        deploy(first, say=say)
    assert elsewhere.await_answer().version
    assert elsewhere.content() == content


def token_of(elsewhere):
    token = ET.parse(elsewhere.layout.preferences).getroot().get("PlexOnlineToken")
    assert token
    return token


CLI = [sys.executable, "-m", "plexsuper", "deploy"]


def words(order):
    return [
        *CLI,
        str(order.archive),
        order.target,
        "--stop",
        order.stop,
        "--start",
        order.start,
        "--url",
        order.url,
        "--ssh",
        order.ssh,
        "--patience",
        str(order.patience),
    ]


def test_the_command_says_what_it_did_and_never_the_token(elsewhere, archived):
    token = token_of(elsewhere)
    done = subprocess.run(
        [*words(elsewhere.order(archived[0])), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sections"] == 8
    assert told["kept"].endswith("-before-deploy")
    assert [path.name for path in list_snapshots(elsewhere.layout.databases)] == [Path(told["kept"]).name]
    assert "exchanging the databases" in done.stderr
    assert token not in done.stdout + done.stderr


def test_the_command_ends_with_a_code_and_hides_what_a_start_command_says(elsewhere, archived):
    order = elsewhere.order(archived[0], start="echo PlexOnlineToken=s3cr3tvalue >&2; exit 5")
    done = subprocess.run([*words(order), "--no-check"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Start it by hand" in done.stderr
    assert "s3cr3tvalue" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_archive_without_a_manifest_is_refused(tmp_path):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    archive = tmp_path / "foreign.tar.gz"
    subprocess.run(["tar", "czf", str(archive), "-C", str(databases), LIBRARY, BLOBS], check=True)
    with pytest.raises(DatabaseError, match=r"has no manifest.*nothing was sent"):
        deploy(Order(archive=archive, target=str(tmp_path)), say=ignore)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_deployer_killed_at_any_moment_leaves_the_old_or_the_new_library(elsewhere, archived, seed):
    archive, content = archived
    order = elsewhere.order(archive)
    with subprocess.Popen([*words(order), "--no-check"], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said = ("sending", "stopping", "exchanging", "starting")[random.Random(seed).randrange(4)]
        while said not in child.stderr.readline():
            assert child.poll() is None
        time.sleep(random.Random(seed).uniform(0, 0.3))  # the random moment itself
        child.kill()
    side = beside(elsewhere.layout.support)
    elsewhere.run("stop")
    until(lambda: not side.call("holder"))
    side.call("settle", "finish")
    assert library_content(elsewhere.layout.databases) in (content, elsewhere.old)
    done = deploy(order, say=ignore)
    assert done.sections == 8
    assert elsewhere.content() == content
