"""The real worker, or the real flow, killed at one exact point of a job's life.

`python -m tests.workers.dying POINT FILE` runs until it is there for the first time, writes the
ids of the tasks that it has in hand there into FILE, and kills itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from exchange.project import Project
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import RedisEndpoint
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store import tasks
from workers import run
from workers.queue.jobs import JobIntake, ResultWriter
from workers.queue.leased_queue import LeasedQueue
from workers.queue.maintenance import LeasedIntermediateQueue
from workers.settings import current_recipe
from workers.worker import GenerationWorker


def die(ids: Iterable[str]) -> None:
    """Leave nothing but the list; not called while there is nothing in hand."""
    found = sorted(ids)
    if found:
        Path(sys.argv[2]).write_text("\n".join(found))
        os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, in_hand: Callable[..., Iterable[str]]) -> None:
    """Die when `owner.name` is about to be called."""
    original = getattr(owner, name)

    def dying(*given: Any, **named: Any) -> Any:
        die(in_hand(*given))
        return original(*given, **named)

    setattr(owner, name, dying)


def after(owner: Any, name: str, in_hand: Callable[..., Iterable[str]]) -> None:
    """Die when `owner.name` has done its work."""
    original = getattr(owner, name)

    def dying(*given: Any, **named: Any) -> Any:
        answer = original(*given, **named)
        die(in_hand(*given))
        return answer

    setattr(owner, name, dying)


def of_worker(worker: GenerationWorker, *_: Any) -> list[str]:
    return [held.task_id for held in worker._all_leased()]


def of_holder(holder: JobIntake | ResultWriter, *_: Any) -> list[str]:
    return [held.task_id for held in holder.held()]


def popped() -> None:
    before(LeasedQueue, "take", lambda queue, jobs: [job.id for job in jobs])


def leased() -> None:
    before(JobIntake, "admit", of_holder)


def submitted() -> None:
    after(GenerationWorker, "_submit", of_worker)


def mid_way() -> None:
    steps: list[None] = []

    def in_hand(worker: GenerationWorker) -> list[str]:
        steps.extend([None] * bool(worker._decoding))
        return of_worker(worker) if len(steps) > 3 else []

    before(GenerationWorker, "_housekeeping", in_hand)


def result_set() -> None:
    after(ResultWriter, "_store", of_holder)


def acknowledged() -> None:
    after(ResultWriter, "_acknowledge", of_holder)


def maintaining() -> None:
    before(LeasedIntermediateQueue, "cleanup", lambda *_: ["maintenance"])


def collected() -> None:
    after(tasks, "finish", lambda spool, results: [result.task_id for result in results])


POINTS = (popped, leased, submitted, mid_way, result_set, acknowledged)


def flow() -> None:
    config = Config.find()
    project = Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        lambda: current_recipe(config),
    )
    handle = RedisEndpoint(os.environ[run.REDIS_VARIABLE], "")
    QueuePump(
        project.archive_dir(), "paper", project.recipe(), handle.connect, reconcile_s=1
    ).work()


if __name__ == "__main__":
    point = globals()[sys.argv[1]]
    point()
    if point is collected:
        flow()
    else:
        sys.exit(run.main([]))
