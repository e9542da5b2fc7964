"""Keeps one worker process alive: spawns it, restarts it with back-off, breaks crash loops."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from exchange import signals
from exchange.errors import OK, STOPPED, USAGE, ProgramFailed
from exchange.inference import openblas
from exchange.machine import python_module
from workers.run import NAME_VARIABLE, REDIS_VARIABLE, make_name

log = logging.getLogger(__name__)

BACKOFF_S = (1, 2, 4, 8, 16, 30, 60)
# So many quick crashes in a row, and nothing done between them, are a loop. With the pauses they
# take two minutes: what passes by itself, as another program's hunger for memory, has passed.
LOOP_CRASHES = 8
LOOP_LIFE_S = 60.0  # what ends later than this after its start was no quick crash
TICK_S = 0.25
KILLED = ": killed by the system, most likely because memory ran out"
KILL_AFTER_S = 15.0  # beyond the grace, a stopped worker that still lives is killed
# What runs as the worker. For benches only; it comes from who starts us, never from Redis.
MODULE_VARIABLE = "KKORACLE_WORKER_MODULE"


class Supervisor:
    """Runs `python -m workers.run` until its work is done or it is stopped."""

    def __init__(
        self, redis_url: str, variables: Mapping[str, str], *, burst: bool, grace_s: float
    ) -> None:
        self._environment = {
            **openblas.environment(os.environ),
            **variables,
            REDIS_VARIABLE: redis_url,
            signals.PARENT_VARIABLE: str(os.getpid()),
        }
        self._burst = burst
        self._grace_s = grace_s
        self._signals = 0
        self._stopped_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.worker_name = ""
        self.restarts = 0

    def run(
        self,
        tick: Callable[[str], None] = lambda name: None,
        did_work: Callable[[str], bool] = lambda name: False,
    ) -> int:
        """Supervise until the end; returns the exit code for the command.

        Args:
            tick: called a few times a second with the worker's name, for showing progress.
            did_work: whether the worker of this name had finished any job before it ended. A
                poison task kills several workers before it is found out; that is no loop.

        Raises:
            UserError: the worker crashes again and again.
        """
        with signals.stop_on_signal(self._pass_on, self._pass_on):
            return self._supervise(tick, did_work)

    def _supervise(self, tick: Callable[[str], None], did_work: Callable[[str], bool]) -> int:
        quick = 0
        while True:
            started = time.monotonic()
            code = self._run_once(tick)
            if code in (OK, USAGE, STOPPED):
                return code
            if self._signals:
                return STOPPED
            if code == 1 and time.monotonic() - started < LOOP_LIFE_S and not quick:
                return code  # it has logged why, and would fail again
            short = time.monotonic() - started < LOOP_LIFE_S
            quick = quick + 1 if short and not did_work(self.worker_name) else 1
            if quick >= LOOP_CRASHES:
                raise ProgramFailed(
                    f"the worker crashed {quick} times in a row (last exit code {code}): see its "
                    "messages above; `kkoracle doctor` checks model and memory"
                )
            pause = BACKOFF_S[min(quick - 1, len(BACKOFF_S) - 1)]
            self.restarts += 1
            why = KILLED if code == -signal.SIGKILL else ""
            log.warning(
                "the worker ended unexpectedly (exit code %s%s); again in %s s", code, why, pause
            )
            self._sleep(pause)

    def _run_once(self, tick: Callable[[str], None]) -> int:
        self.worker_name = make_name()
        module = self._environment.get(MODULE_VARIABLE) or "workers.run"
        command = python_module(module, *(["--burst"] if self._burst else []))
        # A session of its own: Ctrl-C reaches the supervisor, which passes it on exactly once.
        self._process = subprocess.Popen(
            command,
            env={**self._environment, NAME_VARIABLE: self.worker_name},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        while self._process.poll() is None:
            if not self._signals:
                tick(self.worker_name)
            self._sleep(TICK_S)
            if self._signals and time.monotonic() - self._stopped_at > (
                self._grace_s + KILL_AFTER_S
            ):
                self._process.kill()
        return self._process.returncode

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (self._signals and self._process is None):
            time.sleep(min(TICK_S, max(0.0, end - time.monotonic())))

    def _pass_on(self) -> None:
        """Each signal is the worker's too."""
        self._signals += 1
        self._stopped_at = self._stopped_at or time.monotonic()
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
