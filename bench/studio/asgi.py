"""Ask an ASGI application for a page in this process, and know what processor time that took.

Also run by the peer's interpreter: imports nothing of ours.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


async def ask(app: App, path: str) -> tuple[int, bytes]:
    """Status and body of a page."""
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": quote(query, safe="=&%").encode(),  # as browsers send it
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    status, parts = 0, []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)


async def measure(app: App, paths: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """For each path: status, kilobytes, and milliseconds of processor, the first and the least.

    The first time nothing of it is in any cache of ours; the disk's may hold it.
    """
    found = {}
    for path in paths:
        taken = []
        for _ in range(rounds):
            began = time.process_time()
            status, body = await ask(app, path)
            taken.append(1e3 * (time.process_time() - began))
        found[path] = {
            "status": status,
            "kb": round(len(body) / 1e3, 1),
            "first_ms": round(taken[0], 1),
            "ms": round(min(taken), 1),
        }
    return found
