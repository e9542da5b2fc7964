"""The server of the generated newspaper.

    python -m bench.crawl.server STORIES SEED

prints its address and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

from bench.crawl.site import pages


class _Connection(asyncio.Protocol):
    """Just enough HTTP to cost next to nothing: keep-alive, GET, one header section each."""

    def __init__(self, found: dict[bytes, bytes]) -> None:
        self._found = found
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(self._answer(path))

    def _answer(self, path: bytes) -> bytes:
        body = self._found.get(path)
        status = b"200 OK" if body is not None else b"404 Not Found"
        kind = b"text/plain" if path.endswith(b".txt") else b"text/html; charset=utf-8"
        body = body or b"not here"
        return (b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (status, kind, len(body), body))  # fmt: skip


async def _serve(total: int, seed: int) -> None:
    found = pages(total, seed)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(found), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
