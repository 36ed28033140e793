"""Proves that a deployment works over a real ssh, and says what is wrong when it does not."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

from plexsuper.clients.far_side.remote import FarSide, Target
from plexsuper.database.files import LIBRARY
from plexsuper.deploy import deploy
from plexsuper.errors import PreflightError, ServerAway, ServerError
from tests.database_library import library_content
from tests.elsewhere import HAS_SSHD, Sshd, exported, names, plex_elsewhere, until

pytestmark = pytest.mark.skipif(
    not HAS_SSHD, reason="needs openssh-server and root: apt install openssh-server"
)
MEMBERS = (f"Plug-in Support/Databases/{LIBRARY}",)


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    """An archive, and the content of its databases."""
    return exported(tmp_path_factory.mktemp("source"))


@pytest.fixture
def elsewhere(tmp_path):
    with plex_elsewhere(tmp_path / "else where's") as found:
        yield found


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path / "sshd").serving() as found:
        yield found


def over(sshd, elsewhere, archive, **changes):
    return elsewhere.order(
        archive, target=f"root@elsewhere:{elsewhere.layout.support}", ssh=sshd.ssh, **changes
    )


def sessions(sshd):
    """Return the processes that sshd has for its connections."""
    return psutil.Process(sshd.pid).children()


def test_a_library_moves_over_ssh(elsewhere, archived, sshd):
    archive, content = archived
    done = deploy(over(sshd, elsewhere, archive), say=print)
    assert done.sections == 8
    assert done.counted
    assert library_content(elsewhere.layout.support / done.kept) == elsewhere.old
    assert elsewhere.content() == content
    until(lambda: not sessions(sshd))


def test_a_connection_that_dies_while_sending_leaves_the_old_plex_running(elsewhere, archived, sshd):
    support = elsewhere.layout.support
    side = FarSide(Target("root@elsewhere", str(support)), ssh=sshd.ssh.split())
    data = archived[0].read_bytes()

    def cut():
        yield data[: len(data) // 2]
        until(lambda: ".deploy-t" in names(support))
        for session in sessions(sshd):
            session.kill()
        until(lambda: not sessions(sshd))
        yield data[len(data) // 2 :]

    with pytest.raises(ServerAway, match="the connection failed"):
        side.call("receive", "zstd", "1", "", *MEMBERS, ticket="t", feed=cut())
    assert elsewhere.await_answer().version
    until(lambda: names(support) == [])
    assert elsewhere.content() == elsewhere.old


@pytest.mark.parametrize("moment", ["stopping Plex", "exchanging the databases", "starting Plex"])
def test_a_connection_that_dies_in_the_middle_leaves_one_library_alive(elsewhere, archived, sshd, moment):
    """The tunnel to Plex dies, too: nobody knows how the new library does, and the old one comes back."""
    archive, _ = archived

    def say(line):
        if line == moment:
            for session in sessions(sshd):
                with suppress(ProcessLookupError):  # one may end with another
                    os.kill(session.pid, signal.SIGKILL)

    with pytest.raises(ServerError, match="Plex was started again"):
        deploy(over(sshd, elsewhere, archive, patience=4.0), say=say)
    assert elsewhere.await_answer().version
    assert elsewhere.content() == elsewhere.old
    assert names(elsewhere.layout.support) == []


def test_a_host_that_refuses_us_is_told_without_a_question(elsewhere, archived, sshd):
    (sshd.home / "user.pub").write_text("")
    with pytest.raises(ServerAway, match=r"the connection failed: .*Permission denied"):
        deploy(over(sshd, elsewhere, archived[0]), say=print)
    assert elsewhere.await_answer().version


def test_a_host_that_is_not_there_is_told(elsewhere, archived, tmp_path):
    unserved = Sshd(tmp_path / "sshd")
    with pytest.raises(ServerAway, match=r"the connection failed: .*Connection refused"):
        deploy(over(unserved, elsewhere, archived[0]), say=print)


def test_an_ssh_that_is_not_installed_is_told(elsewhere, archived, sshd):
    order = elsewhere.order(archived[0], target="root@elsewhere:/srv", ssh="/nowhere/ssh")
    with pytest.raises(
        PreflightError, match="cannot run /nowhere/ssh: No such file or directory; install it"
    ):
        deploy(order, say=print)


def test_what_the_other_side_says_about_a_wrong_path_comes_through(elsewhere, archived, sshd):
    order = elsewhere.order(archived[0], target="root@elsewhere:/srv/nowhere", ssh=sshd.ssh)
    with pytest.raises(
        PreflightError, match="there is no Plug-in Support in /srv/nowhere: name Plex's own directory"
    ):
        deploy(order, say=print)
