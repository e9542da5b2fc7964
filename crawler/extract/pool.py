"""Processes that extract, with a time limit each page: one that hangs is killed and counted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

import crawler
from crawler.profile import Profile
from crawler.records import ExtractionResult
from exchange.errors import ProgramFailed
from exchange.machine import python_module

DEPTH = 32  # pages given at once, so that a process need not wait for us after each
NAP_S = 0.02  # between looks at processes that have enough to do: one wake-up for many pages
PIPE_BYTES = 1 << 20  # for what is written meanwhile; only Linux has pipes of a chosen size
START_S = 60.0  # a process on a busy machine imports for a while
# For glibc: what a page took is kept for the next one, up to 8 MB, and not given back after each,
# which takes a twelfth of the time. Pieces of up to 256 bytes, of which a tree of elements is made,
# lie ready in lists of 2,000, 5 MB in all: another tenth. Other systems do not know these names.
_MALLOC = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000:glibc.malloc.tcache_max=256",
    "MALLOC_TRIM_THRESHOLD_": str(8 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TOP_PAD_": str(1 << 20),
}
_RESULTS = msgspec.msgpack.Decoder(ExtractionResult)


@dataclass(slots=True)
class _PoolProcess:
    popen: subprocess.Popen[bytes]
    received: bytearray
    pages: deque[int] = field(default_factory=deque)  # the first is being read
    deadline: float = 0.0

    @property
    def input(self) -> IO[bytes]:
        assert self.popen.stdin is not None
        return self.popen.stdin

    @property
    def output(self) -> IO[bytes]:
        assert self.popen.stdout is not None
        return self.popen.stdout


class ExtractionPool:
    """A few extracting processes; used by one thread.

    A page over its time is killed with its process and yields "hung"; one that takes its
    process down yields "crashed".
    """

    def __init__(
        self, directory: Path, archive: str, profile: Profile, *, processes: int, limit_s: float
    ) -> None:
        self._command = python_module("crawler.extract.worker", str(directory), archive)
        self._profile = profile.of_extraction("base").encode()
        self._limit = limit_s
        self._size = processes
        self._processes: list[_PoolProcess] = []
        self._selector = selectors.DefaultSelector()
        self._waiting: deque[int] = deque()

    def run(self, page_ids: Iterable[int]) -> Iterator[tuple[int, ExtractionResult]]:
        """Extract pages; results come as they are ready, one for every id."""
        self._waiting.extend(page_ids)
        while self._waiting or any(process.pages for process in self._processes):
            while self._waiting and (process := self._idle()) is not None:
                self._give(process, self._waiting.popleft())
            self._flush()
            yield from self._results()

    def close(self) -> None:
        """End all processes."""
        for process in list(self._processes):
            self._end(process)
        self._selector.close()

    def _idle(self) -> _PoolProcess | None:
        """The process with the least to do; a new one before any is given a second page."""
        least = min(self._processes, key=lambda process: len(process.pages), default=None)
        if least is not None and not least.pages:
            return least
        if len(self._processes) < self._size:
            return self._start()
        return least if least is not None and len(least.pages) < DEPTH else None

    def _start(self) -> _PoolProcess:
        root = str(Path(crawler.__file__).parent.parent)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        try:
            popen = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**_MALLOC, **os.environ, "PYTHONPATH": path},
            )
        except OSError as error:
            raise ProgramFailed(f"cannot start a process to extract text: {error}") from None
        process = _PoolProcess(popen, bytearray())
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(process.output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._processes.append(process)
        self._selector.register(process.output, selectors.EVENT_READ, process)
        self._send(process, self._profile)
        self._flush()
        deadline = time.monotonic() + START_S
        while _frame(process.received) is None:
            ready, _, _ = select.select(
                [process.output], [], [], max(0.0, deadline - time.monotonic())
            )
            piece = os.read(process.output.fileno(), 1 << 16) if ready else b""
            if not piece:
                self._end(process)
                raise ProgramFailed(
                    "the process that extracts text does not start: run `kkoracle "
                    "doctor`, and see the lines above"
                )
            process.received += piece
        return process

    def _give(self, process: _PoolProcess, page: int) -> None:
        if not process.pages:
            process.deadline = time.monotonic() + self._limit
        process.pages.append(page)
        self._send(process, str(page).encode())

    def _send(self, process: _PoolProcess, frame: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # its end is noticed where results are read
            process.input.write(len(frame).to_bytes(4, "big") + frame)

    def _flush(self) -> None:
        for process in self._processes:
            with contextlib.suppress(BrokenPipeError):
                process.input.flush()

    def _results(self) -> Iterator[tuple[int, ExtractionResult]]:
        if all(len(process.pages) > 1 for process in self._processes):
            time.sleep(NAP_S)  # a look after every page would cost as much as reading it
        nearest = min(process.deadline for process in self._processes if process.pages)
        for key, _ in self._selector.select(max(0.0, nearest - time.monotonic())):
            process: _PoolProcess = key.data
            piece = os.read(process.output.fileno(), 1 << 20)
            process.received += piece
            if not piece:
                yield from self._give_up(process, "crashed")
            while process.pages and (frame := _frame(process.received)) is not None:
                process.deadline = time.monotonic() + self._limit
                yield process.pages.popleft(), _RESULTS.decode(frame)
        now = time.monotonic()
        for process in [p for p in self._processes if p.pages and p.deadline <= now]:
            yield from self._give_up(process, "hung")

    def _give_up(
        self, process: _PoolProcess, outcome: str
    ) -> Iterator[tuple[int, ExtractionResult]]:
        """End a process: the page in its hands is to blame, those behind it are given anew."""
        self._end(process)
        if process.pages:
            guilty = process.pages.popleft()
            self._waiting.extendleft(reversed(process.pages))
            process.pages.clear()
            yield guilty, ExtractionResult(outcome)

    def _end(self, process: _PoolProcess) -> None:
        self._processes.remove(process)
        self._selector.unregister(process.output)
        process.popen.kill()
        with contextlib.suppress(BrokenPipeError):
            process.input.close()
        process.output.close()
        process.popen.wait()


def _frame(received: bytearray) -> bytes | None:
    """Take one whole frame off the front, None while it is not complete."""
    if len(received) < 4 or len(received) < 4 + (size := int.from_bytes(received[:4], "big")):
        return None
    frame = bytes(received[4 : 4 + size])
    del received[: 4 + size]
    return frame
