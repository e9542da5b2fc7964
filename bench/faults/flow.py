"""The way through Redis at full speed: an engine that answers at once, a spool that is large.

redis_mb          the most memory that Redis ever used, by its own account (1 MB = 10^6 bytes)
redis_stopped_mb  the most while the daemon, and so the collector, was stopped (SIGSTOP)
*_cpu_ms          processor time of daemon, worker and Redis per task
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

import psutil
from redis import Redis

from bench import pretend
from bench.faults import fixture
from bench.faults.deployment import Deployment
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed
from exchange.store.spool import Spool
from workers.supervisor import MODULE_VARIABLE

TASKS, QUICK_TASKS = 100_000, 4_000
CHUNKS, QUICK_CHUNKS = 1_000_000, 20_000
STOPPED_S, QUICK_STOPPED_S = 60.0, 5.0
CHARACTERS = 1200  # of a chunk, as the profiles cut them
WIDTH = 32
LOOK_S = 0.25
STUCK_S = 60.0
MB = 1e6


def run(folder: Path, args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Fill the spool, let the tasks flow, stop the daemon half-way for a while."""
    tasks = args.tasks or (QUICK_TASKS if settings.quick else TASKS)
    chunks = max(tasks, args.chunks or (QUICK_CHUNKS if settings.quick else CHUNKS))
    stopped = QUICK_STOPPED_S if settings.quick else STOPPED_S
    project = fixture.make_project(
        folder, model="pretend", engine="openai", width=WIDTH, lease_s=60
    )
    settings.log(f"storing {chunks} chunks")
    before = time.process_time()
    fixture.fill(project, chunks, args.seed, characters=CHARACTERS)
    filling = time.process_time() - before
    variables = {MODULE_VARIABLE: "bench.pretend", pretend.DELAY: "0-0"}
    with Deployment(project, 1, variables) as crew:
        flow = _FlowMonitor(crew, Spool.read(project.archive_dir()), settings)
        flow.until(tasks // 20)  # everybody is awake and warm
        begun, used = time.monotonic(), flow.processor()
        first = flow.done()
        flow.until(tasks // 2)
        peak_stopped = flow.stop_daemon(stopped)
        flow.until(tasks)
        seconds = time.monotonic() - begun - stopped
        count = flow.done() - first
        spent = {name: now - used[name] for name, now in flow.processor().items()}
        peak = flow.peak()
    return {
        "tasks": tasks,
        "chunks": chunks,
        "redis_mb": round(peak / MB, 1),
        "redis_stopped_mb": round(peak_stopped / MB, 1),
        "tasks_per_s": round(count / seconds, 1),
        **{f"{name}_cpu_ms": round(1000 * value / count, 3) for name, value in spent.items()},
        "store_cpu_ms_per_chunk": round(1000 * filling / chunks, 3),
    }


class _FlowMonitor:
    """Looks at a running crew from outside."""

    def __init__(self, crew: Deployment, spool: Spool, settings: BenchSettings) -> None:
        self._crew, self._spool, self._log = crew, spool, settings.log
        self._told = time.monotonic()

    def done(self) -> int:
        return self._spool.counters().get("tasks.done", 0)

    def until(self, count: int) -> None:
        """Wait until so many tasks are done.

        Raises:
            ProgramFailed: nothing moves any more, or somebody has ended.
        """
        last, moved = -1, time.monotonic()
        while (done := self.done()) < count:
            self._crew.mind()
            moment = time.monotonic()
            if done != last:
                last, moved = done, moment
            if self._crew.wrong_exits or moment - moved > STUCK_S:
                raise ProgramFailed(f"the flow is stuck at {done}: {self._crew.crashes()}")
            if moment - self._told > 5:
                self._told = moment
                self._log(f"{done} of {count} done, Redis {self.peak() / MB:.1f} MB at most")
            time.sleep(LOOK_S)

    def stop_daemon(self, seconds: float) -> float:
        """Hold the daemon; returns the most memory of Redis meanwhile, in bytes."""
        (daemon,) = self._crew.targets()["daemon"]
        os.kill(daemon, signal.SIGSTOP)
        most, until = 0.0, time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                most = max(most, float(self._redis().info("memory")["used_memory"]))
                time.sleep(LOOK_S)
        finally:
            os.kill(daemon, signal.SIGCONT)
        return most

    def peak(self) -> float:
        return float(self._redis().info("memory")["used_memory_peak"])

    def processor(self) -> dict[str, float]:
        """Seconds of processor time that each has used so far."""
        targets = self._crew.targets()
        return {
            name: sum(cpu_s(pid) for pid in targets[name]) for name in ("daemon", "worker", "redis")
        }

    def _redis(self) -> Redis:
        redis = self._crew.redis()
        if redis is None:
            raise ProgramFailed("Redis is gone, and nobody killed it")
        return redis


def cpu_s(pid: int) -> float:
    """Processor time of one process, user and system."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
