"""Start the server of the crawl's benches, and read what it wrote down."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request as the server saw it; `at` counts on the monotonic clock."""

    at: float
    status: int
    path: str


@contextlib.contextmanager
def serve_site(stories: int, seed: int, *options: str) -> Iterator[str]:
    """The site in a process of its own; yields its address.

    Args:
        options: more of the server's own, such as "--demo".
    """
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench.crawl.server",
            "--stories",
            str(stories),
            "--seed",
            str(seed),
            *options,
        ],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


def read_requests(log: Path) -> list[ServedRequest]:
    """The requests so far, in order."""
    found = []
    for line in log.read_text().splitlines() if log.exists() else ():
        at, status, path = line.split(" ", 2)
        found.append(ServedRequest(float(at), int(status), path))
    return found
