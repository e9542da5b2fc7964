"""The commands of both sides, and one that may be started again and is surely ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import processes

# Both as files, so that neither's start-up pays for the bench's own imports.
OURS = Path(__file__).with_name("ours.py")
RIVAL = Path(__file__).with_name("rival.py")


def ours(url: str, folder: Path, concurrency: int, what: str, delay: float = 0.0) -> list[str]:
    """See `ours.py`; -P keeps this folder's modules from hiding the library's."""
    return [sys.executable, "-P", str(OURS), url, str(folder), str(concurrency), what, str(delay)]


def scrapy(
    python: Path,
    url: str,
    folder: Path,
    concurrency: int,
    what: str,
    delay: float = 0.0,
    *,
    auto: bool = False,
) -> list[str]:
    """See `rival.py`; `python` is the interpreter of the peer's environment."""
    command = [str(python), str(RIVAL), url, str(folder), str(concurrency), what, str(delay)]
    return [*command, "auto"] if auto else command


class CrawlCommand:
    """Call it to start the command once more; `end` ends whatever of it still runs."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=processes.command_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill and wait."""
        for process in self._started:
            process.kill()
            process.wait()
