"""What is published is whole: both packages are built, and the installed one works far away from the sources."""

import email
import email.message
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src/plexsuper"

pytestmark = pytest.mark.slow


def build(source: Path, place: Path, *what: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(place), *what],
        cwd=source, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build a wheel and an sdist."""
    place = tmp_path_factory.mktemp("packages")
    build(ROOT, place)
    return next(place.glob("*.whl")), next(place.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, which borrows the dependencies of this one."""
    home = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(packages[0])], check=True, timeout=60)
    # What an entry of a .pth file names is not searched for further .pth files: the sources stay out.
    (site,) = home.glob("lib/python3*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run an installed program in a directory that is not the project's."""
    program = command[0] if command[0] == "bash" else installed / "bin" / command[0]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PLEX"))}
    return subprocess.run(
        [program, *command[1:]],
        cwd=installed, env=kept, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_wheel_has_everything_of_the_package_and_nothing_else(packages):
    there = {
        f"plexsuper/{file.relative_to(SOURCES)}"
        for file in SOURCES.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names_in(packages[0]) == there
    for needed in (
        "py.typed",
        "simulator/library/schema.sql",
        "simulator/preferences.tsv",
        "faces/web/static/index.html",
    ):
        assert f"plexsuper/{needed}" in there


def test_the_sdist_is_enough_to_build_the_same_wheel_and_to_set_a_machine_up(packages, tmp_path):
    with tarfile.open(packages[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for needed in (
        "scripts/setup_instance.sh",
        "scripts/plexsuper.service",
        "examples/README.md",
        "tests",
        "LICENSE",
    ):
        assert (source / needed).exists(), needed
    assert os.access(source / "scripts/setup_instance.sh", os.X_OK)
    build(source, tmp_path / "again", "--target", "wheel")
    assert names_in(next((tmp_path / "again").glob("*.whl"))) == names_in(packages[0])


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def test_the_metadata_say_what_it_is_and_the_readme_can_be_read(packages):
    told = metadata(packages[0])
    assert (told["Name"], told["License-Expression"], told["Requires-Python"]) == (
        "plexsuper",
        "MIT",
        ">=3.11",
    )
    assert told["Summary"].startswith("Takes a Plex library through a complete indexing run")
    assert told.get_all("Provides-Extra") == ["notify", "rclone"]
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload() == (ROOT / "README.md").read_text()
    shown = MarkdownIt("commonmark").enable("table").render(str(told.get_payload()))
    assert shown.startswith("<h1>plexsuper</h1>")
    assert "<table>" in shown
    assert "\n|" not in shown  # a table that is none


def test_the_installed_program_works_without_the_sources(installed):
    where = run(installed, "python", "-c", "import plexsuper; print(plexsuper.__file__)")
    assert where.stdout.startswith(str(installed))
    for program in (["plexsuper"], ["python", "-m", "plexsuper"]):
        assert run(installed, *program, "--version").stdout == "plexsuper 0.1.0 (event stream 1)\n"
    assert json.loads(run(installed, "plexsuper", "schema").stdout)["$id"] == "urn:plexsuper:events:1"
    assert (
        "Show a whole run against the embedded Plex." in run(installed, "plexsuper", "demo", "--help").stdout
    )
    assert run(installed, "plexsuper", "init", "settings.toml").returncode == 0


def test_the_installed_program_brings_its_data_files(installed):
    knobs = run(installed, "plexsuper", "simulator", "--list-knobs")
    assert (knobs.returncode, knobs.stderr) == (0, "")
    code = (
        "from importlib.resources import files; "
        "print((files('plexsuper.faces.web') / 'static/index.html').read_text()[:15])"
    )
    assert run(installed, "python", "-c", code).stdout.lower() == "<!doctype html>\n"


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        ("bash", {"COMP_WORDS": "plexsuper ch", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "plexsuper ch"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "plexsuper ch", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_the_shell_can_complete_commands(installed, shell, asked, monkeypatch):
    monkeypatch.setenv("_PLEXSUPER_COMPLETE", f"source_{shell}")
    script = run(installed, "plexsuper").stdout
    assert f"_PLEXSUPER_COMPLETE=complete_{shell}" in script
    monkeypatch.setenv("_PLEXSUPER_COMPLETE", f"complete_{shell}")
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    answer = run(installed, "plexsuper").stdout
    assert "check" in answer
    assert "run" not in answer.replace("a run needs", "")


def test_completion_is_installed_for_the_shell_that_asks(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    program = str(installed / "bin/plexsuper")
    shown = run(installed, "bash", "-c", f"{program} --show-completion; true")
    assert "complete -o default -F _plexsuper_completion plexsuper" in shown.stdout
    run(installed, "bash", "-c", f"{program} --install-completion; true")
    assert (tmp_path / ".bash_completions/plexsuper.sh").exists()
