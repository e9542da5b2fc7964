"""Generate a few of the archive's open tasks, and say how long the whole archive would take.

Nothing is written to the spool or to Redis; the tasks stay open. The tasks are drawn by
their ids, which are hashes, so they are a fair sample and the same ones every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import NotEnoughData
from exchange.files import write_atomic
from exchange.inference.engine import Engine, EngineDescription
from exchange.records import Result, Task
from exchange.store import inputs
from exchange.store.spool import Spool, open_tasks
from workers.probe.estimate import PROBE_FILE
from workers.request_builder import RequestBuilder

SAMPLE_TASKS = 20  # enough to see what the pairs are like; their mean length is known to about 10 %


@dataclass(frozen=True, slots=True)
class ProbedTask:
    """One task and what came of it."""

    task: Task
    result: Result
    seconds: float  # from its first step in the batch to its last

    @property
    def accepted(self) -> int:
        return sum(pair.status == "accepted" for pair in self.result.pairs)

    @property
    def tokens_out(self) -> int:
        return self.result.completion.tokens_out if self.result.completion else 0


@dataclass(slots=True)
class GenerationProbe:
    """What was measured; whole, or as far as it came."""

    asked: int  # tasks to try
    open: int  # tasks that wait in the archive, these among them
    description: EngineDescription
    tried: list[ProbedTask] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def tokens_per_s(self) -> float:
        """Tokens generated a second, all requests together."""
        return sum(one.tokens_out for one in self.tried) / max(self.seconds, 1e-9)

    @property
    def tasks_per_h(self) -> tuple[float, float]:
        """Tasks an hour, least and most.

        Least: as measured, although a sample this small lets the batch run empty at its end.
        Most: every row as fast as here, and the batch full all the time.
        """
        measured = len(self.tried) / max(self.seconds, 1e-9)
        rows = sum(one.seconds for one in self.tried) / max(self.seconds, 1e-9)
        most = max(1.0, self.description.width / rows) if rows else 1.0
        return 3600 * measured, 3600 * measured * most

    @property
    def pairs_per_task(self) -> float:
        return sum(one.accepted for one in self.tried) / max(1, len(self.tried))

    @property
    def hours_left(self) -> tuple[float, float]:
        """Hours of generation for all open tasks, least and most; 0 when none was finished."""
        slow, fast = self.tasks_per_h
        return (self.open / fast, self.open / slow) if slow else (0.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for `--json`."""
        slow, fast = self.tasks_per_h
        return {
            "model": self.description.model,
            "engine": self.description.engine,
            "quantisation": self.description.quantisation,
            "width": self.description.width,
            "tasks": len(self.tried),
            "open_tasks": self.open,
            "seconds": round(self.seconds, 2),
            "stopped": self.stopped,
            "tokens_per_s": round(self.tokens_per_s, 1),
            "tasks_per_h": [round(slow, 1), round(fast, 1)],
            "pairs_per_h": [
                round(slow * self.pairs_per_task, 1),
                round(fast * self.pairs_per_task, 1),
            ],
            "hours_left": [round(hours, 4) for hours in self.hours_left],
            "tried": [
                {
                    "task": one.task.id,
                    "kind": one.task.kind,
                    "header": one.task.header,
                    "text": one.task.text,
                    "failed": one.result.failed,
                    "completion": one.result.completion and one.result.completion.to_dict(),
                    "pairs": [pair.to_dict() for pair in one.result.pairs],
                }
                for one in self.tried
            ],
        }


def sample_tasks(
    directory: Path, archive: str, count: int = SAMPLE_TASKS
) -> tuple[list[Task], int]:
    """Open tasks to try, and how many there are.

    Raises:
        UserError: nothing was crawled yet, or no task is open.
    """
    spool = Spool.read(directory)
    try:
        where = "t.state IN ('new','queued') ORDER BY t.id LIMIT ?"
        tasks = list(inputs.load_tasks(spool, archive, where, (count,)))
        total = open_tasks(spool.counters())
    finally:
        spool.close()
    if not tasks:
        raise NotEnoughData(
            f"no task of {archive} is open: crawl more of it first (`kkoracle crawl {archive}`), "
            "or change [work] prompt or [model] and crawl again"
        )
    return sorted(tasks, key=lambda task: len(task.text)), total


def save_figures(directory: Path, found: GenerationProbe) -> None:
    """Leave the figures for `kkoracle estimate`; spool and Redis stay as they are."""
    if found.stopped or not found.seconds:
        return
    figures = found.to_dict()
    del figures["tried"]
    write_atomic(directory / PROBE_FILE, orjson.dumps(figures))


def run_probe(
    engine: Engine,
    builder: RequestBuilder,
    tasks: list[Task],
    total: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GenerationProbe:
    """Generate them all, as a worker does; Ctrl-C keeps what is finished."""
    probe = GenerationProbe(len(tasks), total, engine.describe())
    started = time.perf_counter()
    try:
        waiting = {}
        for task in tasks:
            try:
                waiting[builder.submit(engine, task)] = task
            except ValueError:
                failed = Result(task.id, task.archive, failed="too-long")
                probe.tried.append(ProbedTask(task, failed, 0.0))
        while waiting:
            for finished in engine.step():
                task = waiting.pop(finished.ticket)
                if builder.wants_retry(finished):
                    waiting[builder.retry(engine, finished)] = task
                    continue
                result, _ = builder.result(finished)
                probe.tried.append(ProbedTask(task, result, finished.seconds))
                probe.seconds = time.perf_counter() - started
                progress(len(probe.tried), len(tasks))
    except KeyboardInterrupt:
        probe.stopped = True
    return probe
