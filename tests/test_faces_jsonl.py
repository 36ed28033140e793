"""Proves that JSON lines come out whole and in order, and that no reader can slow or kill a run."""

import fcntl
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from plexsuper.bus import Bus
from plexsuper.examples import envelopes
from plexsuper.faces.jsonl import show_jsonl
from plexsuper.faces.writer import LineWriter
from plexsuper.stream import Envelope, encode

PIPE = 65_536
"""What a Linux pipe holds."""

PRODUCER = """
import anyio, sys
from plexsuper.faces.writer import LineWriter

async def main():
    writer = LineWriter(1)
    for number in range(int(sys.argv[1])):
        writer.write(b"line %08d of a stream that is long enough to fill a pipe ..........\\n" % number)
    await writer.finish(0.3)
    print(writer.dropped, file=sys.stderr)

anyio.run(main)
"""
LENGTH = len(b"line 00000000 of a stream that is long enough to fill a pipe ..........\n")


def read_all(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        return file.read()


async def test_every_envelope_is_one_line_and_the_last_one_is_out_when_it_returns():
    reader, writer = os.pipe()
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as subscription:
        for envelope in envelopes():
            bus.publish(envelope)
    output = LineWriter(writer)
    await show_jsonl(subscription, output)
    os.close(writer)
    lines = read_all(reader).splitlines(keepends=True)
    assert lines == [encode(envelope) for envelope in envelopes()]
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert output.dropped == 0


async def test_a_cancelled_run_still_shows_the_lines_it_has():
    reader, writer = os.pipe()
    bus: Bus[Envelope] = Bus()
    with bus.subscribe(Envelope) as subscription, anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(show_jsonl, subscription, LineWriter(writer))
            for envelope in envelopes():
                bus.publish(envelope)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    os.close(writer)
    assert read_all(reader).splitlines(keepends=True) == [encode(envelope) for envelope in envelopes()]


def test_a_reader_that_leaves_after_the_first_line_ends_nothing():
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER, "5000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as producer:
        assert producer.stdout is not None
        assert producer.stderr is not None
        head = subprocess.run(["head", "-1"], stdin=producer.stdout, capture_output=True, check=True)
        producer.stdout.close()
        errors = producer.stderr.read()
        assert producer.wait() == 0
    assert head.stdout == b"line 00000000 of a stream that is long enough to fill a pipe ..........\n"
    assert 0 < int(errors) < 5000


def test_a_pipe_that_nobody_reads_does_not_hold_up_the_end_and_has_whole_lines():
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER, "20000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as producer:
        assert producer.stdout is not None
        assert producer.stderr is not None
        assert producer.wait() == 0  # nothing has been read so far
        lines = producer.stdout.read().splitlines(keepends=True)
        dropped = int(producer.stderr.read())
    assert {len(line) for line in lines} == {LENGTH}
    assert [int(line.split()[1]) for line in lines] == list(range(len(lines)))
    # Pages of a pipe are not filled to the brim when a line would have to be broken.
    assert 0.9 * PIPE / LENGTH < len(lines) <= PIPE / LENGTH
    assert dropped == 20_000 - len(lines)


async def test_a_slow_reader_costs_the_tail_and_the_loss_is_counted_while_the_run_goes_on():
    reader, writer = os.pipe()
    output = LineWriter(writer, limit=10)
    big = b"x" * (PIPE - 1) + b"\n"
    for _ in range(100):
        output.write(big)
    assert output.dropped >= 88  # ten in the queue; one, perhaps, in the pipe; one being written
    kept = 100 - output.dropped
    received = b""
    with anyio.fail_after(10):
        while len(received) < kept * PIPE:
            await anyio.wait_readable(reader)
            received += os.read(reader, PIPE)
    output.write(b"after\n")
    await output.finish()
    os.close(writer)
    assert (received + read_all(reader)).splitlines(keepends=True) == [big] * kept + [b"after\n"]
    assert output.dropped == 100 - kept


async def test_a_pipe_that_was_made_non_blocking_by_its_owner_gets_everything():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    output = LineWriter(writer)
    lines = [b"%09d\n" % number for number in range(9000)]
    for line in lines:
        output.write(line)
    pipe = select.poll()
    pipe.register(writer, select.POLLOUT)
    received = b""
    with anyio.fail_after(10):
        while pipe.poll(0):  # noqa: ASYNC110 - only the kernel knows when the pipe is full
            await anyio.sleep(0.001)
    os.set_blocking(reader, False)
    with anyio.fail_after(10):
        while len(received) < 90_000:
            await anyio.wait_readable(reader)
            received += os.read(reader, 1000)
    await output.finish()
    os.close(writer)
    os.close(reader)
    assert received == b"".join(lines)


async def test_a_closed_pipe_drops_everything_and_says_so():
    reader, writer = os.pipe()
    os.close(reader)
    output = LineWriter(writer)
    output.write(b"one\n")
    await output.flush()
    assert (output.dropped, output.idle) == (1, True)
    output.write(b"two\n")
    await output.finish()
    os.close(writer)
    assert output.dropped == 2


async def test_a_full_disk_drops_lines_without_giving_up():
    fd = os.open("/dev/full", os.O_WRONLY)
    output = LineWriter(fd)
    output.write(b"one\n")
    output.write(b"two\n")
    await output.finish()
    os.close(fd)
    assert output.dropped == 2


def test_a_log_that_gets_room_again_goes_on_with_a_whole_line(tmp_path: Path):
    code = """
import anyio, os, resource, sys
from plexsuper.faces.writer import LineWriter

async def main():
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    writer = LineWriter(fd)
    for line in (b"first\\n", b"second\\n", b"third\\n"):
        writer.write(line)
    await writer.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.write(b"fourth\\n")
    await writer.finish()
    print(writer.dropped)

anyio.run(main)
"""
    log = tmp_path / "events.jsonl"
    done = subprocess.run([sys.executable, "-c", code, log], capture_output=True, text=True, check=True)
    assert log.read_bytes() == b"first\nseco\nfourth\n"
    assert done.stdout == "2\n"


@pytest.mark.lesson("L21", "L26")
async def test_nothing_is_written_while_it_is_paused_and_everything_afterwards():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    output = LineWriter(writer)
    output.write(b"before\n")
    async with output.paused():
        assert os.read(reader, 100) == b"before\n"
        output.write(b"meanwhile\n")
        await output.flush(patience=0.05)
        with pytest.raises(BlockingIOError):
            os.read(reader, 100)
    await output.finish()
    assert os.read(reader, 100) == b"meanwhile\n"
    os.close(writer)
    os.close(reader)
