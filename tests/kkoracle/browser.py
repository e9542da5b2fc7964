"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--remote-debugging-port=0", "about:blank")  # fmt: skip


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

    def look(self, url: str, wait_for: str, seconds: float = 30) -> dict[str, Any]:
        """Open a page, wait until a script's expression is true, and return what is there.

        Returns:
            `dom` (the page as it is then), `owned` (what a hostile script would have set).
        """
        return asyncio.run(self._look(url, wait_for, seconds))

    async def _look(self, url: str, wait_for: str, seconds: float) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session:
            async with session.put(f"{self._base}/json/new?about:blank") as reply:
                target = await reply.json(content_type=None)
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as page:
                await _call(page, 1, "Page.navigate", url=url)
                deadline = time.monotonic() + seconds
                while not await _value(page, wait_for):
                    assert time.monotonic() < deadline, f"{url} never showed {wait_for}"
                    await asyncio.sleep(0.1)
                dom = await _value(page, "document.documentElement.outerHTML")
                owned = await _value(page, "window.owned")
            async with session.get(f"{self._base}/json/close/{target['id']}"):
                return {"dom": dom, "owned": owned}


async def _value(page: aiohttp.ClientWebSocketResponse, expression: str) -> Any:
    found = await _call(page, 2, "Runtime.evaluate", expression=expression, returnByValue=True)
    return found.get("result", {}).get("value")


async def _call(
    page: aiohttp.ClientWebSocketResponse, number: int, method: str, **params: Any
) -> dict[str, Any]:
    await page.send_json({"id": number, "method": method, "params": params})
    while True:
        message: dict[str, Any] = await page.receive_json()
        if message.get("id") == number:
            return dict(message.get("result", {}))
