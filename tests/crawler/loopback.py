"""A real server on loopback that behaves as a test tells it to, in a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """One page. An empty `kind` sends no Content-Type worth the name."""

    body: bytes | str = ""
    status: int = 200
    kind: str = HTML
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = {"Content-Type": self.kind} if self.kind else {}
        return web.Response(body=body, status=self.status, headers={**headers, **self.headers})


Route = Answer | Callable[[web.Request, int], Any]


class Loopback:
    """Serves `routes` (path with query -> Answer, or a function of request and visit number)."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self.routes = dict(routes)
        self.log: list[tuple[float, str, dict[str, str]]] = []
        self.url = ""
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Loopback:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def visits(self) -> Counter[str]:
        return Counter(path for _, path, _ in self.log)

    def times(self, *, but: Iterable[str] = ()) -> list[float]:
        return [at for at, path, _ in self.log if path not in set(but)]

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path
        self.log.append((time.time(), path, dict(request.headers)))
        route = self.routes.get(path)
        if route is None:
            return web.Response(status=404, text="not here")
        if isinstance(route, Answer):
            return route.response()
        found = route(request, self.visits()[path])
        if inspect.isawaitable(found):
            found = await found
        return found.response() if isinstance(found, Answer) else found


def story(number: int) -> Answer:
    return Answer(
        f"<html><body><h1>Τίτλος {number}</h1><div class='text'><p>Η ιστορία με αριθμό {number} "
        f"γράφτηκε στις {number % 28 + 1} Μάη 1998.</p><p>Δεύτερη παράγραφος, "
        f"αριθμός {number}.</p></div></body></html>"
    )


def index(*links: str) -> Answer:
    rows = "".join(f"<li><a href='{link}'>κάτι</a></li>" for link in links)
    return Answer(f"<html><body><ul>{rows}</ul></body></html>")


def paper(*links: str, **routes: Route) -> dict[str, Route]:
    """A site whose start page has these links; `/story/N` among them exist."""
    pages: dict[str, Route] = {"/": index(*links)}
    for link in links:
        if link.startswith("/story/") and link.removeprefix("/story/").isdigit():
            pages[link] = story(int(link.removeprefix("/story/")))
    return pages | routes
