"""Proves how rclone is told what to do and how what it says is read: options, configuration, log."""

import json
from pathlib import Path

import pytest

from plexsuper.clients.rclone.binary import Rclone, find_rclone, locate
from plexsuper.clients.rclone.config import check_remote, read_remotes, remote_name
from plexsuper.clients.rclone.environment import rclone_environment
from plexsuper.clients.rclone.flags import MountWish, command_line, mount_options, parse_options
from plexsuper.clients.rclone.log import LogTail, read_line, trouble_of
from plexsuper.errors import PreflightError, SettingsError

ALL = frozenset(mount_options(MountWish(remote="r:", config=Path("/c"), cache_dir=Path("/k")), type(
    "Everything", (), {"knows": lambda _self, _flag: True})()))  # fmt: skip
MODERN = Rclone("/bin/rclone", (1, 75, 2), ALL, unix_control=True)
OLD = Rclone("/bin/rclone", (1, 60, 1), ALL - {"max-connections", "vfs-handle-caching"}, unix_control=False)


def wish(**more) -> MountWish:
    return MountWish(
        remote="s3:media", config=Path("/etc/rclone.conf"), cache_dir=Path("/var/cache/p"), **more
    )


@pytest.mark.lesson("L20")
def test_a_mount_is_patient_read_only_and_lists_once_for_the_whole_run() -> None:
    options = mount_options(wish(), MODERN)
    wanted = {"read-only": "true", "dir-cache-time": "72h", "timeout": "60s", "low-level-retries": "10"}
    wanted |= {"use-server-modtime": "true", "uid": "1000", "allow-other": "true", "stats": "5m"}
    wanted |= {"vfs-read-chunk-size": "96k", "buffer-size": "0", "vfs-read-ahead": "0"}
    assert wanted.items() <= options.items()


@pytest.mark.lesson("L39")
def test_a_home_line_gets_fewer_connections_and_more_patience_than_a_rented_machine() -> None:
    local, cloud = mount_options(wish(), MODERN), mount_options(wish(cloud=True), MODERN)
    assert (local["max-connections"], cloud["max-connections"]) == ("16", "96")
    assert (local["contimeout"], cloud["contimeout"]) == ("20s", "5s")


def test_an_option_that_this_rclone_does_not_know_is_left_out() -> None:
    assert "max-connections" not in mount_options(wish(), OLD)


def test_every_option_can_be_set_by_the_user() -> None:
    more = ("--read-only=false", "--uid", "99", "--no-modtime")
    options = mount_options(wish(more=more), MODERN)
    assert (options["read-only"], options["uid"], options["no-modtime"]) == ("false", "99", "true")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--daemon"], "--daemon is set by plexsuper itself"),
        (["--rc-addr=:5572"], "--rc-addr is set by plexsuper itself"),
        (["uid=99"], "'uid=99' is no option"),
        (["--uid=99", "100"], "'100' is no option"),
    ],
)
def test_an_option_that_cannot_be_set_is_refused(words, message) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_options(words)


def test_the_command_line_holds_no_password_and_no_daemon() -> None:
    unix = command_line(
        MODERN, wish(), {"uid": "1"}, target="/t", control="unix:///run/rc", cache_dir=Path("/k")
    )
    assert unix == [
        "/bin/rclone", "mount", "s3:media", "/t", "--uid=1", "--config=/etc/rclone.conf", "--cache-dir=/k",
        "--rc=true", "--rc-addr=unix:///run/rc", "--rc-serve=true", "--rc-enable-metrics=true", "--rc-no-auth=true",
    ]  # fmt: skip
    loopback = command_line(OLD, wish(), {}, target="/t", control="127.0.0.1:0", cache_dir=Path("/k"))
    assert "--rc-no-auth=true" not in loopback
    assert not any("pass" in word for word in loopback)


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (
            "api error InvalidAccessKeyId: The Access Key Id you provided does not exist in our records.",
            "auth",
        ),
        ("https response error StatusCode: 403, RequestID: , api error Forbidden: Forbidden", "auth"),
        ("couldn't fetch token: invalid_grant: maybe token expired?", "auth"),
        ("googleapi: Error 403: User Rate Limit Exceeded", "throttled"),
        ("https response error StatusCode: 503, api error SlowDown", "throttled"),
        ("write /cache/vfs/s3/a.mkv: no space left on device", "cache_full"),
        ("read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer", "reset"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "unreachable"),
        ("api error NoSuchBucket: The specified bucket does not exist", "gone"),
        ("error listing: directory not found", "gone"),
        ("vfs cache: cleaned: objects 403 (was 403) in use 0", "info"),
        ("Films/Blade Runner 2049 (503 min)/a.mkv: unlock failed", "throttled"),
        # The socket is ours, and closed since the mount was ready.
        (
            "updating systemd status with current stats failed: dial unixgram @plexsuper-1-ab: connect: connection refused",
            None,
        ),
        ("everything is fine", None),
    ],
)
def test_what_an_error_tells_of(said, trouble) -> None:
    level = "info" if trouble == "info" else "error"
    assert trouble_of(said, level) == (None if trouble == "info" else trouble)


def test_a_line_of_either_version_is_read_and_secrets_are_not_kept() -> None:
    modern = json.dumps(
        {"level": "error", "msg": "failed: secret_access_key=abc123 bad", "object": "s3:media"}
    )
    assert read_line(modern.encode()).text == "s3:media: failed: secret_access_key=… bad"
    old = read_line(b"2026/11/22 22:06:24 Fatal error: unknown flag: --max-connections")
    assert (old.level, old.text) == ("", "2026/11/22 22:06:24 Fatal error: unknown flag: --max-connections")
    assert read_line(b'{"level":"error","msg":"half').text == '{"level":"error","msg":"half'


def test_a_log_is_read_as_it_grows_and_half_a_line_waits_for_its_other_half(tmp_path) -> None:
    log = tmp_path / "log"
    tail = LogTail(str(log))
    assert tail.read() == ()
    log.write_bytes(b"one\ntw")
    assert [line.text for line in tail.read()] == ["one"]
    with log.open("ab") as file:
        file.write(b"o\nthree\n")
    assert [line.text for line in tail.read()] == ["two", "three"]
    assert tail.read() == ()


def test_only_names_and_kinds_are_read_from_the_configuration(tmp_path) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text("[s3]\ntype = s3\nsecret_access_key = a%b;c\n\n[box]\ntype = crypt\nremote = s3:x\n")
    assert read_remotes(config) == {"s3": "s3", "box": "crypt"}
    check_remote(config, "box:films")
    with pytest.raises(PreflightError, match="has no remote named 's4'; it has: box, s3"):
        check_remote(config, "s4:films")


@pytest.mark.lesson("F05")
def test_a_damaged_configuration_is_refused_without_a_word_of_what_is_in_it(tmp_path) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text("secret_access_key = hidden\n")
    with pytest.raises(PreflightError, match="is damaged: MissingSectionHeaderError") as refused:
        read_remotes(config)
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_encrypted_configuration_is_rclones_own_matter(tmp_path) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc\n")
    assert read_remotes(config) is None
    check_remote(config, "anything:at/all")


def test_a_remote_without_a_colon_would_be_a_local_directory_and_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="write the remote's name, a colon and the path, such as s3:media"
    ):
        remote_name("/media")
    assert remote_name(":s3,provider=AWS:media") is None
    assert remote_name("s3,region=x:media") == "s3"


def test_what_would_change_rclones_mind_does_not_reach_it(monkeypatch) -> None:
    for name in ("RCLONE_VFS_CACHE_MODE", "AWS_CA_BUNDLE", "PLEX_TOKEN", "LD_PRELOAD", "AWS_PROFILE"):
        monkeypatch.setenv(name, "x")
    environment = rclone_environment({"RCLONE_RC_USER": "u"})
    kept = {
        "RCLONE_VFS_CACHE_MODE",
        "AWS_CA_BUNDLE",
        "PLEX_TOKEN",
        "LD_PRELOAD",
        "AWS_PROFILE",
        "RCLONE_RC_USER",
    }
    assert kept & set(environment) == {"AWS_PROFILE", "RCLONE_RC_USER"}


def test_an_rclone_that_cannot_be_executed_is_named(tmp_path) -> None:
    with pytest.raises(PreflightError, match=r"media.rclone names .*/no-rclone, and that cannot be executed"):
        locate(str(tmp_path / "no-rclone"))


@pytest.mark.fuse
async def test_this_machines_rclone_tells_its_version_and_options() -> None:
    rclone = await find_rclone()
    assert rclone.version >= (1, 60, 0)
    assert rclone.knows("vfs-cache-max-size")
    assert rclone.knows("low-level-retries")
    assert rclone.unix_control is (rclone.version >= (1, 61, 0))


async def test_something_else_called_rclone_is_refused(tmp_path) -> None:
    with pytest.raises(PreflightError, match="does not tell its version; is it rclone"):
        await find_rclone("/bin/true")
    old = tmp_path / "rclone"
    old.write_text("#!/bin/sh\necho rclone v1.53.3\n")
    old.chmod(0o755)
    with pytest.raises(PreflightError, match=r"is version 1.53.3; 1.60 or newer is needed"):
        await find_rclone(str(old))
