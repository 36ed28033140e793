"""The files for a rented machine: the unit is valid and keeps what a run needs, cloud-init accepts its file."""

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft4Validator

from plexsuper.errors import ExitCode

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts/setup_instance.sh"
UNIT = ROOT / "scripts/plexsuper.service"
CLOUD_INIT = ROOT / "scripts/cloud-init.yaml"
CLOUD_INIT_SCHEMA = ROOT / "build/cloud-init/schema.json"  # scripts/test fetches it

OF_ITS_OWN_MOUNTS = [
    "BindPaths",
    "BindReadOnlyPaths",
    "DynamicUser",
    "ExecPaths",
    "InaccessiblePaths",
    "LogNamespace",
    "MountFlags",
    "MountImages",
    "NoExecPaths",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProcSubset",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "RootImage",
    "TemporaryFileSystem",
    "DeviceAllow",
    "DevicePolicy",
    "MemoryDenyWriteExecute",
]
"""What hides a service's mounts from everybody else, or takes /dev/fuse away (systemd.exec(5))."""


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=True)  # a key that stands twice is refused
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    parser.read_string(UNIT.read_text())
    return {name: dict(section) for name, section in parser.items() if name != "DEFAULT"}


def setup(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a dry run, which needs no rights and no network with these settings."""
    fixed = {"SETUP_OFFLINE": "1", "SETUP_IMAGE": "", "PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        [SCRIPT, "--dry-run", *options], env=fixed, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    # The program is not here, and a unit whose program is missing is refused.
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/plexsuper/bin/plexsuper", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (verified.stderr, verified.returncode) == ("", 0)


def test_what_the_service_mounts_is_seen_by_plex():
    assert [key for key in unit()["Service"] if key in OF_ITS_OWN_MOUNTS] == []
    kept = unit()["Service"]["CapabilityBoundingSet"]
    assert kept.startswith("~")
    for needed in (
        "CAP_SYS_ADMIN",
        "CAP_KILL",
        "CAP_SYS_PTRACE",
        "CAP_DAC_OVERRIDE",
        "CAP_LINUX_IMMUTABLE",
        "CAP_CHOWN",
    ):
        assert needed not in kept


def test_every_exit_code_either_ends_the_service_or_starts_it_again():
    service = unit()["Service"]
    final = {int(code) for code in service["RestartPreventExitStatus"].split()}
    good = {0, *(int(code) for code in service["SuccessExitStatus"].split())}
    assert service["Restart"] == "on-failure"
    assert final == {ExitCode.USAGE, ExitCode.PREFLIGHT, ExitCode.DATABASE, ExitCode.SET_ASIDE, ExitCode.LOSS}
    assert good == {ExitCode.DONE, ExitCode.INTERRUPTED}
    assert set(ExitCode) - final - good == {ExitCode.INTERNAL, ExitCode.STORAGE, ExitCode.SERVER}
    over = re.search(r"in ([0-9|]+)\) systemctl .*disable", service["ExecStopPost"])
    assert over is not None
    assert {int(code) for code in over[1].split("|")} == {ExitCode.DONE, ExitCode.SET_ASIDE, ExitCode.LOSS}


def test_a_killed_run_leaves_its_mount_to_the_next_one_and_is_given_time_to_stop():
    service = unit()["Service"]
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "process")
    assert (service["WatchdogSec"], service["TimeoutStopSec"]) == ("2min", "15min")
    assert "media" not in unit()["Unit"]["RequiresMountsFor"]


@pytest.mark.skipif(not CLOUD_INIT_SCHEMA.exists(), reason="scripts/test could not fetch cloud-init's schema")
def test_cloud_init_accepts_its_file():
    schema = json.loads(CLOUD_INIT_SCHEMA.read_text())
    validator = Draft4Validator(schema)
    document = yaml.safe_load(CLOUD_INIT.read_text())
    assert [error.message for error in validator.iter_errors(document)] == []
    assert [error.message for error in validator.iter_errors({**document, "runcmd": 7})] != []
    known = (
        schema["$defs"][part["$ref"].rpartition("/")[2]].get("properties", {}) for part in schema["allOf"]
    )
    assert set(document) <= {name for names in known for name in names}


def test_cloud_init_runs_the_script_that_there_is_with_the_variables_that_it_knows():
    text = CLOUD_INIT.read_text()
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    ((shell, flags, code),) = document["runcmd"]
    checked = subprocess.run(
        [shell, "-n", flags, code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "source/scripts/setup_instance.sh" in code
    files = {file["path"]: file for file in document["write_files"]}
    assert {file["permissions"] for file in files.values()} == {"0600"}
    variables = re.findall(r"^(SETUP_\w+)=", files["/etc/plexsuper/setup.env"]["content"], re.MULTILINE)
    assert set(variables) <= set(re.findall(r"\bSETUP_\w+", SCRIPT.read_text()))
    assert variables == ["SETUP_SELF_DESTRUCT_HOURS", "SETUP_START"]


def test_the_help_names_every_option_and_every_variable():
    shown = setup("--help").stdout
    script = SCRIPT.read_text()
    for variable in set(re.findall(r"\$\{(SETUP_\w+)", script)):
        assert variable in shown, variable
    for option in set(re.findall(r"^ +(--[a-z-]+)[) ]", script, re.MULTILINE)):
        assert option in shown, option


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fast"], "setup: there is no option --fast; --help lists them\n"),
        (["--package"], "setup: --package needs a value; --help lists the options\n"),
        (["--self-destruct", "soon"], "setup: --self-destruct: soon is no number of hours\n"),
        (["--settings", "/nowhere"], "setup: --settings: /nowhere cannot be read\n"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_done(options, said):
    refused = setup(*options)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", said)


def test_a_secret_is_in_no_output_and_no_argument():
    shown = setup("--rclone", __file__, PLEX_CLAIM="claim-very-secret")
    assert "claim-very-secret" not in shown.stdout + shown.stderr
    # `change` prints its first argument and runs the others: no secret may be among them.
    assert not re.search(r"change [^<\n]*(PLEX_TOKEN|PLEX_CLAIM|\$content)", SCRIPT.read_text())
