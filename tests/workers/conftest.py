"""A newspaper's tasks, a real Redis, the daemon's pump, and real worker processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from exchange.project import Project
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import RedisEndpoint, redis_for
from exchange.store.spool import Spool
from tests.conftest import fill_spool, until
from tests.workers.endpoint import Endpoint


@dataclass
class Pipeline:
    """One archive with open tasks and its pump running."""

    project: Project
    endpoint: Endpoint
    pump: QueuePump
    url: str
    redis: Redis
    popen: Callable[..., subprocess.Popen[str]]
    handle: RedisEndpoint

    @property
    def folder(self) -> Path:
        return self.project.data.parent

    def counters(self) -> dict[str, int]:
        spool = Spool.read(self.project.archive_dir())
        try:
            return spool.counters()
        finally:
            spool.close()

    def start_worker(self, *flags: str, **environment: str) -> subprocess.Popen[str]:
        """`python -m workers.run`, as the supervisor starts it."""
        return self.popen(
            "-m",
            "workers.run",
            *flags,
            cwd=self.folder,
            KKORACLE_WORKER_REDIS=self.url,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=self.endpoint.url,
            **environment,
        )

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        def met() -> bool:
            if condition():
                return True
            assert self.pump.error is None
            return False

        until(met, seconds, told=self.counters)

    def until_done(self, seconds: float = 60) -> dict[str, int]:
        self.until(lambda: not self.open_tasks(), seconds)
        return self.counters()

    def open_tasks(self) -> int:
        found = self.counters()
        return found.get("tasks.new", 0) + found.get("tasks.queued", 0)

    def requests(self) -> int:
        return sum(self.endpoint.asked.values())


@pytest.fixture
def open_pipeline(
    make_project: Callable[..., Project], popen: Callable[..., subprocess.Popen[str]]
) -> Iterator[Callable[..., object]]:
    """`with open_pipeline(count, delay=..) as pipeline:`"""

    @contextmanager
    def opened(
        count: int, *, delay: float = 0.0, endpoint: Endpoint | None = None, extra: str = ""
    ) -> Iterator[Pipeline]:
        with pipeline_in(
            make_project(extra), count, endpoint or Endpoint(delay=delay), popen
        ) as pipeline:
            yield pipeline

    yield opened


@contextmanager
def pipeline_in(
    project: Project, count: int, endpoint: Endpoint, popen: Callable[..., subprocess.Popen[str]]
) -> Iterator[Pipeline]:
    """A spool with `count` tasks, Redis, the pump of tasks and results, and an endpoint."""
    fill_spool(project, count).close()
    with endpoint as serving, redis_for(project) as handle:
        pipeline = Pipeline(
            project,
            serving,
            make_pump(project, handle),
            handle.url,
            handle.connect(),
            popen,
            handle,
        )
        pipeline.pump.start()
        try:
            yield pipeline
        finally:
            pipeline.pump.stop()
            pipeline.redis.close()


def make_pump(project: Project, handle: RedisEndpoint) -> QueuePump:
    """The daemon's half that moves tasks and results."""
    return QueuePump(
        project.archive_dir(), "paper", project.recipe(), handle.connect, reconcile_s=1
    )
