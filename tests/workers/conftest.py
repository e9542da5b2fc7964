"""A newspaper's tasks, a real Redis, the daemon's flow, and real worker processes."""

from __future__ import annotations

import subprocess
import time
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
from tests.conftest import fill_spool
from tests.workers.endpoint import Endpoint


@dataclass
class Shop:
    """One archive with open tasks and its flow running."""

    project: Project
    endpoint: Endpoint
    flow: QueuePump
    url: str
    redis: Redis
    popen: Callable[..., subprocess.Popen[str]]

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
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.flow.error is None
            assert time.monotonic() < deadline, f"waited {seconds} s: {self.counters()}"
            time.sleep(0.05)

    def until_done(self, seconds: float = 60) -> dict[str, int]:
        self.until(lambda: not self.open_tasks(), seconds)
        return self.counters()

    def open_tasks(self) -> int:
        found = self.counters()
        return found.get("tasks.new", 0) + found.get("tasks.queued", 0)

    def asked(self) -> int:
        return sum(self.endpoint.asked.values())


@pytest.fixture
def open_shop(
    make_project: Callable[..., Project], popen: Callable[..., subprocess.Popen[str]]
) -> Iterator[Callable[..., object]]:
    """`with open_shop(count, delay=..) as shop:`"""

    @contextmanager
    def opened(
        count: int, *, delay: float = 0.0, endpoint: Endpoint | None = None, extra: str = ""
    ) -> Iterator[Shop]:
        with shop_in(make_project(extra), count, endpoint or Endpoint(delay=delay), popen) as shop:
            yield shop

    yield opened


@contextmanager
def shop_in(
    project: Project, count: int, endpoint: Endpoint, popen: Callable[..., subprocess.Popen[str]]
) -> Iterator[Shop]:
    """A house's spool with `count` tasks, its Redis, its flow and an endpoint."""
    fill_spool(project, count).close()
    with endpoint as serving, redis_for(project) as handle:
        shop = Shop(
            project, serving, make_flow(project, handle), handle.url, handle.connect(), popen
        )
        shop.flow.start()
        try:
            yield shop
        finally:
            shop.flow.stop()


def make_flow(project: Project, handle: RedisEndpoint) -> QueuePump:
    """The daemon's half that moves tasks and results."""
    return QueuePump(
        project.archive_dir(), "paper", project.recipe(), handle.connect, reconcile_s=1
    )
