"""A headless Chromium, driven over its own debugging protocol: what a person would see, press and hear."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio

PATIENCE = 15.0

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--mute-audio",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """Return the browser of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium(home: Path) -> Iterator[str]:
    """Run a browser that keeps its files in *home*, and give the address of its debugging protocol."""
    program = find_chromium()
    assert program is not None
    # Its renderers come and go as it likes; that they end is proved here and not after every test.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={home / 'profile'}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        try:
            port, path = _debugging_port(process, home / "profile/DevToolsActivePort")
            yield f"ws://127.0.0.1:{port}{path}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait(PATIENCE)


def _debugging_port(process: "subprocess.Popen[bytes]", file: Path) -> tuple[str, str]:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if file.exists() and len(lines := file.read_text().split()) == 2:
            return lines[0], lines[1]
        time.sleep(0.02)
    raise RuntimeError(f"Chromium did not start: {(file.parents[1] / 'log').read_text()[-2000:]}")


@dataclass
class Tab:
    """One page in a browser context of its own, so that cookies are its own too."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    complaints: list[str] = field(default_factory=list)
    _answers: dict[int, "asyncio.Future[Any]"] = field(default_factory=dict)
    _number: int = 0

    async def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the debugging protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self._answers[self._number] = asyncio.get_running_loop().create_future()
        answer = self._answers[self._number]
        await self.socket.send_str(json.dumps(message))
        return await asyncio.wait_for(answer, PATIENCE)

    async def listen(self) -> None:
        """Take what the browser says, until it is gone."""
        async for message in self.socket:
            said = json.loads(message.data)
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if answer.done():
                    continue
                if "error" in said:
                    answer.set_exception(RuntimeError(str(said["error"])))
                else:
                    answer.set_result(said["result"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"])[:500])
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                entry = said["params"]["entry"]
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    async def run(self, script: str) -> Any:
        """Return the value of *script* in the page; a promise is awaited."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait until *condition* is true in the page, and return its value."""
        # What is asked about may not be there yet.
        asked = f"(() => {{ try {{ return {condition} }} catch (error) {{ if (!(error instanceof TypeError)) throw error }} }})()"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(RuntimeError):  # between two documents there is nothing to ask
                if value := await self.run(asked):
                    return value
            await asyncio.sleep(0.02)
        raise AssertionError(
            f"not within {PATIENCE:g} s: {condition}\n{await self.run('document.body.innerText')}"
        )

    async def text(self, selector: str) -> str:
        """Return what can be read of the first element that fits *selector*."""
        found = await self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        assert isinstance(found, str)
        return found

    async def open(self, url: str) -> None:
        """Go to *url*."""
        await self.call("Page.navigate", url=url)

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key as a person at a keyboard does."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        words = {"Enter": "\r", " ": " "}
        common = {
            "key": key,
            "code": key,
            "windowsVirtualKeyCode": codes[key],
            "modifiers": 8 if shift else 0,
        }
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=words.get(key, ""), **common)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def screen(self, width: int, height: int, *, dark: bool = False, calm: bool = True) -> None:
        """Be a screen of this size and taste."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if calm else "no-preference",
        }
        await self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    async def screenshot(self, file: Path) -> None:
        """Save the whole page as a picture."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await anyio.Path(file).write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def tab(browser: str, *, width: int = 1440, height: int = 900) -> AsyncIterator[Tab]:
    """Open an empty page, and close it at the end."""
    async with aiohttp.ClientSession() as client, client.ws_connect(browser, max_msg_size=0) as socket:
        page = Tab(socket)
        listening = asyncio.ensure_future(page.listen())
        try:
            context = (await page.call("Target.createBrowserContext"))["browserContextId"]
            target = await page.call("Target.createTarget", url="about:blank", browserContextId=context)
            attached = await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            page.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                await page.call(f"{domain}.enable")
            await page.screen(width, height)
            yield page
            page.session = ""
            await page.call("Target.disposeBrowserContext", browserContextId=context)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
