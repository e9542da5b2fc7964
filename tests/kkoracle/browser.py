"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import time
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
    "about:blank",
)

# Calls `axe.run`, once; then it is what it found, as text.
_AXE = """
window.found || (window.found = "asked", axe.run(document).then(found => {
    window.found = "done " + JSON.stringify(found.violations.map(
        one => [one.id, one.nodes.map(node => node.html.slice(0, 200))]))}))
"""
# What is wider than the page, or scrolls sideways and is no region that may.
_SIDEWAYS = """
[...document.querySelectorAll('body *:not([role=region])')].filter(
    one => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1
    && !['visible', 'hidden'].includes(getComputedStyle(one).overflowX)
).concat(
    document.documentElement.scrollWidth > document.documentElement.clientWidth
    ? [document.body] : []
).map(one => one.outerHTML.slice(0, 200)).join() || 'nothing'
"""


class Browser:
    """`with Browser(folder) as browser:` one process for any number of pages."""

    def __init__(self, profile: Path) -> None:
        found = next((path for name in NAMES if (path := shutil.which(name))), str(MAC))
        assert Path(found).exists(), "this test needs Chromium: apt-get install chromium"
        self._profile = profile
        self._command = [found, f"--user-data-dir={profile}", *FLAGS]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        noted = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (noted.exists() and noted.read_text().strip()):
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self._base = f"http://127.0.0.1:{noted.read_text().split()[0]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(20)

    def look(
        self,
        url: str,
        wait_for: str,
        *steps: tuple[str, str],
        seconds: float = 30,
        shot: Path | None = None,
        width: int = 1280,
        scheme: str = "light",
    ) -> dict[str, Any]:
        """Open a page, wait until a script's expression is true, and return what is there.

        Args:
            steps: what to do then (a script), and what to wait for each time.
            shot: where a picture of the page goes.
            width: of the window, in CSS pixels; under 500 it is a phone's.
            scheme: light or dark, as the reader's system prefers.

        Returns:
            `dom` (the page as it is then), `owned` (what a hostile script would have set),
            `requests` (every address that was asked for), `value` (of the last expression that was
            waited for).
        """
        window = (width, scheme)
        # A new page is told what its reader prefers when it is there already.
        told = f"matchMedia('(prefers-color-scheme: {scheme})').matches"
        first = ("", f"{told} && ({wait_for})")
        return asyncio.run(self._look(url, [first, *steps], seconds, shot, window))

    def faults(self, url: str, wait_for: str, *, width: int = 1280, scheme: str = "light") -> str:
        """What axe-core finds on a page, and what does not fit its width; "" for nothing."""
        axe = (resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")
        seen = self.look(
            url,
            wait_for,
            (axe, "!!window.axe"),
            (_AXE, "String(window.found).startsWith('done') && window.found"),
            ("window.wide = " + _SIDEWAYS.strip(), "window.found + ' ' + window.wide"),
            width=width,
            scheme=scheme,
        )
        return "" if seen["value"] == "done [] nothing" else str(seen["value"])

    async def _look(
        self,
        url: str,
        steps: list[tuple[str, str]],
        seconds: float,
        shot: Path | None,
        window: tuple[int, str],
    ) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session:
            async with session.put(f"{self._base}/json/new?about:blank") as reply:
                target = await reply.json(content_type=None)
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = _Page(socket)
                await page.call("Network.enable")
                await page.resize(*window)
                await page.call("Page.navigate", url=url)
                for do, wait_for in steps:
                    await page.value(do)
                    deadline = time.monotonic() + seconds
                    while not (value := await page.value(wait_for)):
                        if time.monotonic() > deadline:
                            said = await page.value("document.body?.innerText")
                            raise AssertionError(f"{url} never showed {wait_for}, but:\n{said}")
                        await asyncio.sleep(0.1)
                found = {
                    "dom": await page.value("document.documentElement.outerHTML"),
                    "owned": await page.value("window.owned"),
                    "requests": page.requests,
                    "value": value,
                }
                if shot:
                    await page.picture(shot)
            async with session.get(f"{self._base}/json/close/{target['id']}"):
                return found


class _Page:
    """One tab's DevTools socket; it notes what is asked for while it waits for answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.requests: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message: dict[str, Any] = await self._socket.receive_json()
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("id") == self._number:
                return dict(message.get("result", {}))

    async def value(self, expression: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found.get("result", {}).get("value")

    async def resize(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        prefers = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=prefers)

    async def picture(self, path: Path) -> None:
        await asyncio.sleep(0.5)  # until it is drawn
        found = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))
