"""Sends a message to people through Apprise, in a child process that cannot hold up the run."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio

from plexsuper.clients.processes.child import Child, clean_environment

_SCRIPT: Final = Path(__file__).with_name("messenger_child.py")
_GOODBYE: Final = 0.3
_SAID: Final = {
    1: "a service did not take the message",
    2: "an address cannot be used",
    3: "Apprise is not installed: pip install 'plexsuper[notify]'",
}


async def send_message(
    urls: Sequence[str], *, title: str, body: str, good: bool, deadline: float = 30.0
) -> str:
    """Send a message to every one of *urls* and return what went wrong, without any address; empty if nothing did.

    A child that is not through within *deadline* seconds is killed. The addresses, which are secrets, go through a
    pipe: neither its arguments nor its environment show them.
    """
    told = json.dumps({"urls": list(urls), "title": title, "body": body, "good": good}).encode()
    reading, writing = os.pipe()
    try:
        child = Child.spawn([sys.executable, "-I", str(_SCRIPT)], env=clean_environment(), stdin=reading)
    except OSError as error:
        os.close(writing)
        return f"no process can be started: {error.strerror}"
    finally:
        os.close(reading)
    try:
        with anyio.move_on_after(deadline):
            await _write(writing, told)
            code = await child.wait()
            return "" if code == 0 else _SAID.get(code or 0, f"the process ended with exit code {code}")
        return f"no answer within {deadline:g} s"
    finally:
        child.send(signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await child.wait_for(_GOODBYE)


async def _write(pipe: int, data: bytes) -> None:
    """Write *data* and close *pipe*; a child that reads nothing any more has its own reason."""
    os.set_blocking(pipe, False)
    try:
        with suppress(BrokenPipeError):
            while data:
                try:
                    data = data[os.write(pipe, data) :]
                except BlockingIOError:
                    await anyio.wait_writable(pipe)
    finally:
        os.close(pipe)
