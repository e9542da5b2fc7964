"""The server of the crawl's benches, in a process of its own. It writes down what it sees.

    python -m bench.crawl.server --stories N --seed S [--demo] [--log FILE] [--latency S]
                                 [--refuse-at N --retry-after S]

prints its address and serves until its input ends. With `--demo` it shows the sample newspaper,
whose stories have many addresses each. A line of the log is the monotonic time at which a request
had arrived, the status of its answer, and its path.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote

from bench.crawl.site import pages

Page = tuple[str, bytes]  # content type, body
Find = Callable[[str], Page | None]


class ServedSite:
    """What is shown, how slowly, and when it refuses: once, at request number `refuse_at`."""

    def __init__(
        self, find: Find, log: TextIO | None, latency: float, refuse_at: int, retry_after: int
    ) -> None:
        self.latency = latency
        self._find = find
        self._log = log
        self._refuse_at = refuse_at
        self._retry_after = retry_after
        self._count = 0

    def answer(self, path: str) -> bytes:
        """The whole answer, headers included."""
        self._count += 1
        arrived = time.monotonic()
        if self._count == self._refuse_at:
            self._note(arrived, 429, path)
            return _answer(
                "429 Too Many Requests",
                "text/plain",
                b"later",
                f"Retry-After: {self._retry_after}\r\n",
            )
        found = self._find(path)
        self._note(arrived, 200 if found else 404, path)
        return (
            _answer("200 OK", *found)
            if found
            else _answer("404 Not Found", "text/plain", b"not here")
        )

    def _note(self, arrived: float, status: int, path: str) -> None:
        if self._log is not None:
            self._log.write(f"{arrived:.6f} {status} {path}\n")
            self._log.flush()


def _answer(status: str, kind: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Just enough HTTP to cost next to nothing: keep-alive, GET, one request at a time."""

    def __init__(self, site: ServedSite) -> None:
        self._site = site
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            answer = self._site.answer(head.split(b" ", 2)[1].decode("ascii", "replace"))
            if self._site.latency:
                loop = asyncio.get_running_loop()
                loop.call_later(self._site.latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _generated(stories: int, seed: int) -> Find:
    found = {
        path: ("text/plain" if path.endswith(".txt") else "text/html; charset=utf-8", body)
        for path, body in pages(stories, seed).items()
    }
    return lambda path: found.get(path.partition("?")[0])


def _demo(stories: int, seed: int) -> Find:
    from kkoracle.demo.newspaper import build_newspaper

    newspaper = build_newspaper(seed, stories)
    found = {unquote(url): (page.content_type, page.body) for url, page in newspaper.pages.items()}
    return lambda path: found.get(unquote(path))


async def _serve(site: ServedSite) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(site), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.crawl.server", description=__doc__)
    parser.add_argument("--stories", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--refuse-at", type=int, default=0)
    parser.add_argument("--retry-after", type=int, default=0)
    given = parser.parse_args()
    find = (_demo if given.demo else _generated)(given.stories, given.seed)
    log = given.log.open("a") if given.log else None
    asyncio.run(_serve(ServedSite(find, log, given.latency, given.refuse_at, given.retry_after)))


if __name__ == "__main__":
    main()
