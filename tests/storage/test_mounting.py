"""Proves that preflight says before anything is mounted what would go wrong."""

import pytest

from plexsuper.actions.preflight.mounting import check_mounting, judge_host
from plexsuper.clients.mounts.host import MountHost, look_at_mount_host
from tests.storage.stack import stack


def said(findings) -> dict[str, str]:
    return {f"{finding.severity} {finding.subject}": finding.message for finding in findings}


@pytest.mark.fuse
@pytest.mark.usefixtures("serving_rclone")
async def test_a_remote_that_is_there_is_told_with_the_options_of_its_mount(each_rclone) -> None:
    async with stack() as built:
        found = said(await check_mounting(built.storage().wish, named=each_rclone))
        for entry in sorted(built.bucket.iterdir())[1:]:
            entry.rename(built.root / entry.name)
        fewer = said(await check_mounting(built.storage().wish, named=each_rclone))
    assert fewer["ok media.remote"] == "s3:media answers, 1 entry at its root"
    assert found["ok media.remote"] == "s3:media answers, 4 entries at its root"
    assert "--read-only=true" in found["ok media.flags"]
    assert "--vfs-read-chunk-size=96k" in found["ok media.flags"]
    assert "ok fuse" in found


@pytest.mark.fuse
@pytest.mark.usefixtures("serving_rclone")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("deleted", "directory not found"),
        ("emptied", "s3:media is empty"),
        ("key", "renew the credentials in the rclone configuration"),
        ("refuse", "connection refused"),
        ("hole", "has not answered for 2 s"),
    ],
)
async def test_a_remote_that_cannot_be_used_is_told_with_the_reason(change, words, each_rclone) -> None:
    async with stack() as built:
        if change in ("deleted", "emptied"):
            built.bucket.rename(built.root / "away")
        if change == "emptied":
            built.bucket.mkdir()
        if change == "key":
            await built.serve(secret_key="another-one-than-ours-1")
        if change in ("refuse", "hole"):
            await built.proxy.set(change)
        deadline = 2.0 if change == "hole" else 20.0
        found = said(await check_mounting(built.storage().wish, named=each_rclone, deadline=deadline))
    assert words in found["error media.remote"]


@pytest.mark.fuse
@pytest.mark.usefixtures("serving_rclone")
async def test_a_remote_that_is_not_in_the_configuration_is_told_with_those_that_are() -> None:
    async with stack() as built:
        built.config.write_text(built.config.read_text().replace("[s3]", "[other]"))
        found = said(await check_mounting(built.storage().wish))
    assert found["error media.remote"].endswith("has no remote named 's3'; it has: other")


def test_each_thing_that_this_machine_lacks_is_told_with_its_remedy() -> None:
    nothing = MountHost(device=False, fusermount=False, allow_other=False, rights=False)
    assert [finding.remedy for finding in judge_host(nothing)] == [
        "load the kernel module fuse; in a container, give it --device /dev/fuse",
        "install the package fuse3",
        "write user_allow_other into /etc/fuse.conf, else Plex may not see the mount",
        "run plexsuper as root; in a container, give it --cap-add SYS_ADMIN",
    ]


def test_what_users_may_do_is_read_from_the_configuration_of_fuse(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    conf = tmp_path / "fuse.conf"
    conf.write_text("# user_allow_other\n")
    assert not look_at_mount_host(conf).allow_other
    conf.write_text("mount_max = 10\nuser_allow_other\n")
    assert look_at_mount_host(conf).allow_other
    assert not look_at_mount_host(tmp_path / "none").allow_other
