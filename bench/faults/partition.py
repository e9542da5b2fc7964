"""A network between two real processes that can fail as networks do: it swallows, and says nothing.

While it is cut, connections are accepted and bytes are taken, and none arrives. When it heals, what
was sent arrives late, as TCP sends again what was lost; or all connections break.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

Address = str | tuple[str, int]  # of a unix socket, or a host and a port
CHUNK = 65536


class PartitionProxy:
    """Listens on a port of 127.0.0.1 and hands on to where `target` says, in its own thread."""

    def __init__(self, target: Callable[[], Address]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._whole.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> PartitionProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Swallow everything from now on."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def heal(self, *, reset: bool = False) -> None:
        """Hand on again, beginning with what was swallowed; or break all connections first."""
        if reset:
            self._loop.call_soon_threadsafe(self._abort_all)
        self._loop.call_soon_threadsafe(self._whole.set)

    def _abort_all(self) -> None:
        for writer in self._ends:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connect, sock=self._listener)
        )
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._abort_all()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0.05))
            self._loop.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        far_writer = None
        try:
            await self._whole.wait()
            target = self._target()
            if isinstance(target, str):
                far_reader, far_writer = await asyncio.open_unix_connection(target)
            else:
                far_reader, far_writer = await asyncio.open_connection(*target)
            self._ends.add(far_writer)
            ways = [
                asyncio.create_task(self._hand_on(reader, far_writer)),
                asyncio.create_task(self._hand_on(far_reader, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # whoever was to be reached is not there, or all ends here
        finally:
            for end in filter(None, (writer, far_writer)):
                self._ends.discard(end)
                end.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
