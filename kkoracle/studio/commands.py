"""Commands that the studio starts: the same ones as in a terminal, which outlive it.

Each runs by itself, in a session of its own, and writes into a log. It inherits a lock, so that
whether it still runs is known whoever asks, after the studio was ended and started anew too.

    studio/NAME.lock   held while it runs
    studio/NAME.json   what was started, when, by which process; how it ended
    studio/NAME.log    what it says
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from exchange import files
from exchange.errors import Busy, NotFound
from exchange.lock import FileLock
from exchange.project import Project
from exchange.text.controls import printable
from kkoracle.service.services import front_command

FOLDER = "studio"
TAIL_BYTES, TAIL_LINES = 16_384, 24  # of a log: what a page shows
_REDRAWN = re.compile(r"[^\n]*\r(?!\n)")  # a progress line, drawn over by the next


@dataclass(frozen=True, slots=True)
class StartedCommand:
    """A command that was started here. Times are seconds since the epoch."""

    words: tuple[str, ...]
    started: float
    pid: int
    running: bool = False
    ended: float = 0.0
    code: int | None = None  # None: it runs, or it ended while no studio was there

    @property
    def ending(self) -> str:
        """How it ended, in words; "" while it runs."""
        if self.running:
            return ""
        if self.code is None:
            return "ended"
        named = {0: "done", 1: "needs attention", 2: "refused", 3: "stopped, can go on"}
        return named.get(self.code, f"ended with code {self.code}")


class CommandRunner:
    """Starts and stops the commands of one archive; any thread may use it."""

    def __init__(self, project: Project, directory: Path) -> None:
        self._project = project
        self._folder = directory / FOLDER
        self._starting = threading.Lock()

    def start(self, name: str, words: Sequence[str]) -> None:
        """Start `kkoracle WORDS...` under a name.

        Raises:
            Busy: what was started under this name still runs.
            CannotWrite: the disk is full, or the folder cannot be written.
        """
        lock = FileLock(self._folder / f"{name}.lock")
        with self._starting:
            if not lock.acquire_soon():
                raise Busy(f"{name} is running already")
            try:
                child = self._spawn(name, words, lock.descriptor)
                begun = StartedCommand(tuple(words), time.time(), child.pid)
                self._write(name, begun)
            finally:
                lock.release()  # the child goes on holding it
        threading.Thread(target=self._await, args=(name, begun, child), daemon=True).start()

    def stop(self, name: str) -> None:
        """Ask it to end, as Ctrl-C does; a second time: at once.

        Raises:
            NotFound: nothing of this name runs.
        """
        found = self.state(name)
        if found is None or not found.running:
            raise NotFound(f"{name} is not running")
        os.kill(found.pid, signal.SIGTERM)

    def state(self, name: str) -> StartedCommand | None:
        """What was last started under a name; None if nothing ever was."""
        try:
            stored = orjson.loads((self._folder / f"{name}.json").read_bytes())
            found = StartedCommand(**stored | {"words": tuple(stored["words"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        lock = FileLock(self._folder / f"{name}.lock")
        return replace(found, running=not lock.is_free(shared=True))

    def log(self, name: str) -> str:
        """The last lines that it wrote; a progress line as it was last drawn."""
        try:
            raw = files.read_tail(self._folder / f"{name}.log", TAIL_BYTES).decode(
                "utf-8", "replace"
            )
        except OSError:
            return ""
        lines = _REDRAWN.sub("", raw.replace("\r\n", "\n").rstrip("\r")).splitlines()
        return printable("\n".join(lines[-TAIL_LINES:]))

    def _spawn(self, name: str, words: Sequence[str], lock: int) -> subprocess.Popen[bytes]:
        folder, front = front_command(self._project)
        path = self._folder / f"{name}.log"
        path.write_bytes(b"")  # of this start alone
        with path.open("ab") as log:  # appended to, so that it can be put aside as it grows
            path.chmod(0o600)
            return subprocess.Popen(
                [*front, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
                start_new_session=True,
                pass_fds=(lock,),
            )

    def _await(self, name: str, begun: StartedCommand, child: subprocess.Popen[bytes]) -> None:
        code = child.wait()
        self._write(name, replace(begun, ended=time.time(), code=code))

    def _write(self, name: str, state: StartedCommand) -> None:
        files.write_atomic(self._folder / f"{name}.json", orjson.dumps(asdict(state)))
