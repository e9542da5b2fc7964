"""Commands that another one starts: in order, with their output in files, stopped in reverse."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from exchange import signals
from exchange.errors import ProgramFailed, UserError
from exchange.files import read_tail, write_atomic
from exchange.machine import python_module
from exchange.project import Project

TAIL_BYTES = 16_384  # of a log, to find its last line in
STOP_S = 60.0  # a worker may take its grace of 30 s, and the supervisor some more


class ChildProcesses:
    """Starts processes with their output in log files, and leaves none behind.

    Each runs in a session of its own, so that Ctrl-C reaches only who started it, who then stops
    them one by one. Should that one itself be killed, the next run finds them in a file and
    stops them first; those that can end by themselves then do so before.

    Args:
        directory: of their logs and of that file.
        cwd: where they run; default: there too.
    """

    def __init__(self, directory: Path, cwd: Path | None = None) -> None:
        self._directory, self._cwd = directory, cwd or directory
        self._notes = directory / "children.json"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
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

    def start(
        self,
        name: str,
        module: str,
        *arguments: str,
        result: Path | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Start `python -m MODULE ARGUMENTS`.

        Args:
            result: a file for its standard output; default: its log, where its messages go.
            pass_fds: open files that it takes over, as for `subprocess.Popen`.
        """
        with ExitStack() as opened:
            log = opened.enter_context(self.log(name).open("ab"))
            output = opened.enter_context(result.open("wb")) if result else log
            self._running[name] = subprocess.Popen(
                python_module(module, *arguments),
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
                env={**os.environ, signals.PARENT_VARIABLE: str(os.getpid())},
            )
        pids = {name: process.pid for name, process in self._running.items()}
        write_atomic(self._notes, orjson.dumps(pids), sync=False)

    @property
    def logs(self) -> Path:
        """The folder of their messages."""
        return self._directory / "logs"

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.logs / f"{name}.log"

    def exit_code(self, name: str) -> int | None:
        """Its exit code, or None while it runs."""
        return self._running[name].poll()

    def failure(self, name: str) -> UserError:
        """What to say about a child that ended and should not have."""
        code = self.exit_code(name)
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
        said = self.last_line(name)
        last = f" ({said})" if said else ""
        return ProgramFailed(
            f"the {name} {how}{last}: run the same command again to go on; its messages are in "
            f"{self.log(name)}"
        )

    def last_line(self, name: str, ending: str = "") -> str:
        """The last of its messages, or of those with such an end; "" while there is none."""
        try:
            told = read_tail(self.log(name), TAIL_BYTES)
        except OSError:
            return ""
        lines = map(str.strip, reversed(told.decode("utf-8", "replace").strip().splitlines()))
        return next((line[:200] for line in lines if line.endswith(ending)), "")

    def running(self, name: str) -> bool:
        """It was started and has not ended."""
        return name in self._running and self._running[name].poll() is None

    def stop(self, name: str) -> None:
        """Ask a child to end, and wait; a deaf one is killed. Harmless when none was started."""
        process = self._running.pop(name, None)
        if process and process.poll() is None:
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


def front_options(project: Project) -> list[str]:
    """The options with which a command started by another works on the same project."""
    path = project.config.path
    config = ["--config", str(path.resolve())] if path else []
    return [*config, "--data", str(project.data)]


def _is_ours(pid: int) -> bool:
    """True when that process still is one of ours; ids are reused."""
    command = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "kkoracle" in command.stdout
