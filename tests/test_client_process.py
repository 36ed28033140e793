"""Scanner processes are told apart by their arguments, and their end is noticed through the kernel."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import uvloop

from plexsuper.clients.processes.command_line import classify
from plexsuper.clients.processes.table import ProcessTable, Strangers, bytes_read, cpu_time, exited
from plexsuper.terms import Scanner, ScannerKind
from tests.other_user import someone_else

SCANNER = "/usr/lib/plexmediaserver/Plex Media Scanner"
UUID = "0c5d2f7e-0000-4000-8000-000000000001"


@pytest.mark.lesson("L22")
@pytest.mark.parametrize(
    ("argv", "kind", "section"),
    [
        ([SCANNER, "--scan", "--refresh", "--section", "2", "--activity", UUID], ScannerKind.SCAN, 2),
        ([SCANNER, "--activity", UUID, "--section", "2", "--refresh", "--scan"], ScannerKind.SCAN, 2),
        ([SCANNER, "--scan", "--refresh", "--section=2", "--directory", "/m/--analyze"], ScannerKind.SCAN, 2),
        ([SCANNER, "-s", "-r", "-c", "12"], ScannerKind.SCAN, 12),
        ([SCANNER, "-src12"], ScannerKind.SCAN, 12),
        ([SCANNER, "--refresh", "--section", "3", "--force"], ScannerKind.REFRESH, 3),
        ([SCANNER, "--analyze", "--item", "41,42"], ScannerKind.ANALYZE, None),
        ([SCANNER, "-a", "-o", "41", "-o", "42"], ScannerKind.ANALYZE, None),
        ([SCANNER, "--analyze-deeply", "--item", "41"], ScannerKind.DEEP, None),
        ([SCANNER, "--generate", "--item", "41", "--chapter-thumbs-only"], ScannerKind.CHAPTERS, None),
        (
            [SCANNER, "--generate", "--credits-only", "--item", "41", "--log-file-suffix", "Credits"],
            ScannerKind.CREDITS,
            None,
        ),
        ([SCANNER, "--generate", "--item", "41"], ScannerKind.GENERATE, None),
        ([SCANNER, "-b", "-c", "1"], ScannerKind.GENERATE, 1),
        ([SCANNER, "--match", "--item", "41", "--log-file-suffix", "Matcher"], ScannerKind.MATCH, None),
        ([SCANNER, "--server-action", "intro", "--item", "41"], ScannerKind.DETECT, None),
        ([SCANNER, "--server-action=credits"], ScannerKind.DETECT, None),
        ([SCANNER, "--server-action", "sonic"], ScannerKind.SONIC, None),
        ([SCANNER, "--list"], ScannerKind.OTHER, None),
        ([SCANNER], ScannerKind.OTHER, None),
        ([SCANNER, "--scan", "--section", "two"], ScannerKind.SCAN, None),
        ([SCANNER, "--scan", "--section"], ScannerKind.SCAN, None),
        (["Plex Media Scanner", "--scan", "--section", "2"], ScannerKind.SCAN, 2),
        (["/app/pms/Plex Media Scanner", "--scan", "--section", "2"], ScannerKind.SCAN, 2),
        (["Plex Media Scanner --scan --section 3 --directory /a/Plex Media Scanner/b"], ScannerKind.SCAN, 3),
        (["s6-setuidgid", "plex", SCANNER, "--scan", "--section", "2"], ScannerKind.SCAN, 2),
        (["/bin/nice", "-n", "10", SCANNER, "--analyze", "--item", "1"], ScannerKind.ANALYZE, None),
        (["env", "LD_LIBRARY_PATH=/x", SCANNER, "--scan", "-c", "2"], ScannerKind.SCAN, 2),
        ([sys.executable, "-u", SCANNER, "--scan", "--section", "2"], ScannerKind.SCAN, 2),
        (["/lib/ld-musl-x86_64.so.1", SCANNER, "--scan", "--section", "2"], ScannerKind.SCAN, 2),
    ],
)
def test_a_scanner_is_classified_by_its_arguments(
    argv: list[str], kind: ScannerKind, section: int | None
) -> None:
    assert classify(argv) == (kind, section)


@pytest.mark.lesson("L22")
@pytest.mark.parametrize(
    "argv",
    [
        [],
        [""],
        ["pgrep", "-f", "Plex Media Scanner"],
        ["grep", "Plex Media Scanner"],
        ["nice", "-n", "10", "pgrep", "Plex Media Scanner"],
        ["docker", "exec", "plex", SCANNER, "--scan", "--section", "2"],
        ["sudo", "-u", "plex", SCANNER, "--scan", "--section", "2"],
        ["sh", "-c", f'"{SCANNER}" --scan --section 2'],
        ["bash", "-c", "Plex Media Scanner --scan"],
        ["tail", "-f", "/config/Logs/Plex Media Scanner.log"],
        ["/config/Logs/Plex Media Scanner.log"],
        ["/usr/lib/plexmediaserver/Plex Media Server"],
        ["/usr/lib/plexmediaserver/Plex Transcoder", "-i", SCANNER],
    ],
)
def test_what_only_mentions_a_scanner_is_none(argv: list[str]) -> None:
    assert classify(argv) is None


@contextmanager
def running(*argv: str, name: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps under the given command line until the block ends."""
    arguments = [name or "Plex Media Scanner", "-c", "import signal; signal.pause()", *argv]
    # -c takes the next argument for the program, so the scanner's own options follow it
    process = subprocess.Popen(arguments, executable=sys.executable)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scanner(tmp_path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A script called `Plex Media Scanner`, run as the kernel runs scripts, that says when it is up."""
    script = tmp_path / "Plex Media Scanner"
    script.write_text(f"#!{sys.executable}\nimport signal\nprint('up', flush=True)\nsignal.pause()\n")
    script.chmod(0o755)
    process = subprocess.Popen([str(script), *options], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def mine(pids: set[int]) -> list[Scanner]:
    """The scanners the table sees among *pids*."""
    return [found for found in ProcessTable().scanners() if found.pid in pids]


def test_a_real_process_is_found_with_its_kind_and_section(tmp_path: Path) -> None:
    with scanner(tmp_path, "--scan", "--refresh", "--section", "2", "--directory", "/é 'x'") as process:
        assert mine({process.pid}) == [Scanner(pid=process.pid, kind=ScannerKind.SCAN, section=2)]
    assert mine({process.pid}) == []


def test_a_scanner_that_is_only_a_name_is_found_too() -> None:
    with running("--scan", "--section", "4") as process:
        while not ProcessTable().argv(
            process.pid
        ):  # the kernel shows none for some microseconds after a start
            time.sleep(0)
        assert mine({process.pid}) == [Scanner(pid=process.pid, kind=ScannerKind.SCAN, section=4)]


def test_a_zombie_is_not_reported(tmp_path: Path) -> None:
    with scanner(tmp_path, "--scan") as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
        assert (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        assert mine({process.pid}) == []
        assert ProcessTable().tree(process.pid) == ()


def test_a_process_is_looked_at_while_it_is_young_and_then_now_and_again() -> None:
    strangers = Strangers()

    def looked_at(now: float) -> bool:
        unknown = strangers.unknown([7], now)
        for pid in unknown:
            strangers.add(pid)
        return unknown == [7]

    looks = {now: looked_at(now) for now in (100.0, 100.5, 101.5, 102.0, 102.5, 109.5, 110.0, 110.5, 120.0)}
    assert [now for now, looked in looks.items() if looked] == [100.0, 100.5, 101.5, 102.0, 110.0, 120.0]


def test_a_process_with_the_number_of_one_that_is_gone_is_looked_at() -> None:
    strangers = Strangers()
    strangers.unknown([7], 100)
    strangers.unknown([7], 103)
    strangers.add(7)
    assert strangers.unknown([], 103.5) == []
    assert strangers.unknown([7], 104) == [7]


def test_a_table_that_has_looked_before_sees_what_was_started_since(tmp_path: Path) -> None:
    table = ProcessTable()
    before = table.scanners()
    with scanner(tmp_path, "--scan", "--section", "5") as process:
        found = [seen for seen in table.scanners() if seen not in before]
        assert Scanner(pid=process.pid, kind=ScannerKind.SCAN, section=5) in found
    assert process.pid not in [seen.pid for seen in table.scanners()]


def test_the_processor_time_of_a_process_grows_only_while_it_works_and_counts_all_its_threads() -> None:
    code = (
        "import signal, sys, threading, time\n"
        "def work():\n while time.process_time() < 0.3: pass\n"
        "for _ in sys.stdin:\n"
        " worker = threading.Thread(target=work); worker.start(); worker.join(); print(flush=True)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = cpu_time(process.pid)
        process.stdin.write(b"work\n")
        process.stdout.readline()
        after = cpu_time(process.pid)
        assert before is not None
        assert after is not None
        assert after >= 0.29 > before
        process.stdin.close()
        process.wait()
    assert cpu_time(process.pid) is None


def test_what_a_process_reads_is_counted_in_all_its_threads_and_told_to_its_owner_only(tmp_path) -> None:
    file = tmp_path / "film"
    file.write_bytes(bytes(100_000))
    code = (
        "import sys, threading\n"
        "def work():\n open(sys.argv[1], 'rb', buffering=0).read(40_000)\n"
        "for _ in sys.stdin:\n"
        " worker = threading.Thread(target=work); worker.start(); worker.join(); print(flush=True)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, file], stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def work() -> int | None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"work\n")
            process.stdout.readline()
            return bytes_read(process.pid)

        first = work()  # by now it has read all of its own modules
        second = work()
        assert first is not None
        assert second is not None
        assert 40_000 <= second - first < 41_000
        process.stdin.close()
        process.wait()
    assert bytes_read(process.pid) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_what_a_process_of_somebody_else_reads_is_not_told(tmp_path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with someone_else(tmp_path):
            assert bytes_read(process.pid) is None
        assert bytes_read(process.pid) is not None
        process.kill()


def test_a_tree_has_parents_before_children() -> None:
    code = (
        "import subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "print(child.pid, flush=True)\nsignal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert ProcessTable().tree(parent.pid) == (parent.pid, child)
        finally:
            os.kill(child, signal.SIGKILL)
            parent.kill()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_end_of_a_process_that_is_no_child_is_noticed(loop: object) -> None:
    async def story(pid: int) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exited, pid)
            tasks.start_soon(exited, pid)
            await anyio.lowlevel.checkpoint()
            os.kill(pid, signal.SIGKILL)

    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], stdout=subprocess.DEVNULL).pid)"
    made = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]  # two factories of one shape
        runner.run(asyncio.wait_for(story(int(made.stdout)), 10))


async def test_the_end_of_a_process_that_is_gone_is_now() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    with anyio.fail_after(5):
        await exited(process.pid)


async def test_waiting_for_an_end_can_be_cancelled_and_leaves_no_descriptor() -> None:
    before = _descriptors()
    for _ in range(20):
        with anyio.move_on_after(0.001):
            await exited(os.getpid())
    assert _descriptors() == before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
