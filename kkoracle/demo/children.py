"""The demo's own processes: real commands, started in order, stopped in reverse."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from exchange.errors import ProgramFailed, UserError
from exchange.files import write_atomic
from exchange.machine import python_module

STOP_S = 60.0  # a worker may take its grace of 30 s, and the supervisor some more


class ChildProcesses:
    """Starts processes with their output in log files, and leaves none behind.

    Each runs in a session of its own, so that Ctrl-C reaches only the demo, which then stops
    them one by one. Should the demo itself be killed, the next run finds them in a file and
    stops them first.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._notes = directory / "children.json"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        (self._directory / "logs").mkdir(parents=True, exist_ok=True)
        self._end_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)
        self._notes.unlink(missing_ok=True)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start `python -m MODULE ARGUMENTS` in the demo's folder."""
        with self.log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(
                python_module(module, *arguments),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        pids = {name: process.pid for name, process in self._running.items()}
        write_atomic(self._notes, orjson.dumps(pids), sync=False)

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._directory / "logs" / f"{name}.log"

    def exit_code(self, name: str) -> int | None:
        """Its exit code, or None while it runs."""
        return self._running[name].poll()

    def failure(self, name: str) -> UserError:
        """What to say about a child that ended and should not have."""
        code = self.exit_code(name)
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
        lines = self.log(name).read_text("utf-8", "replace").strip().splitlines()
        last = f" ({lines[-1].strip()[:200]})" if lines else ""
        return ProgramFailed(
            f"the {name} {how}{last}: run the same command again to go on; its messages are in "
            f"{self.log(name)}"
        )

    def stop(self, name: str) -> None:
        """Ask a child to end, and wait; a deaf one is killed."""
        process = self._running.pop(name)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _end_leftovers(self) -> None:
        try:
            pids = [int(pid) for pid in orjson.loads(self._notes.read_bytes()).values()]
        except (OSError, ValueError, AttributeError):
            return
        ours = [pid for pid in pids if _is_ours(pid)]
        for pid in ours:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while any(_is_ours(pid) for pid in ours) and time.monotonic() < deadline:
            time.sleep(0.1)


def _is_ours(pid: int) -> bool:
    """True when that process still is one of the demo's; ids are reused."""
    command = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "kkoracle" in command.stdout
