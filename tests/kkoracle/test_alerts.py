"""Every alert rule fires in a situation that causes it, and none of them while all is well."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from crawler.frontier import pages
from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import enqueue
from exchange.queue.redis_endpoint import redis_for
from exchange.store import tasks
from tests.conftest import fill_spool, until, worker_of
from tests.kkoracle.alert_rules import RULES, Scrape, fires, firing, scrape, seen
from tests.kkoracle.status.test_status import beat, daemon, store
from tests.workers.endpoint import Endpoint

HOUR = 3600.0
Maker = Callable[..., Project]


@dataclass
class Town:
    """What a situation may need."""

    make_project: Maker
    popen: Callable[..., subprocess.Popen[str]]
    folder: Path

    @contextmanager
    def working(self, extra: str = "", done: int = 4, ago: float = 60) -> Iterator[Project]:
        """A daemon of two hours, a Redis, and some tasks of which a few ended."""
        project = self.make_project(extra)
        spool = fill_spool(project, done + 5)
        store(spool, done, ago=ago)
        spool.close()
        with redis_for(project), daemon(project, running_s=2 * HOUR, fetching=True):
            yield project

    def pages(self, project: Project, **states: int) -> None:
        db = pages.connect(project.archive_dir())
        for state, count in states.items():
            db.executemany(
                "INSERT INTO pages(key, url, kind, priority, state) VALUES (?,'u','story',1,?)",
                ((f"{state}{n}", state) for n in range(count)),
            )
        db.close()


def stalled(town: Town) -> Scrape:
    with town.working(ago=20 * 60) as project, redis_for(project) as handle:
        beat(handle.connect(), "m4", tokens_per_s=0)
        return seen(project)


def no_worker(town: Town) -> Scrape:
    with town.working(ago=20 * 60) as project:
        return seen(project)


def paused(town: Town) -> Scrape:
    with town.working(ago=20 * 60) as project, redis_for(project) as handle:
        handle.connect().set(keys.CONTROL, "pause")
        return seen(project)


def silent(town: Town) -> Scrape:
    project = town.make_project()
    fill_spool(project, 0).close()
    with daemon(project, running_s=HOUR, at=time.time() - 600):
        return seen(project)


def blind(town: Town) -> Scrape:
    return seen(town.make_project())  # nothing was crawled: there is nothing to look at


def crawl_stalled(town: Town) -> Scrape:
    with town.working() as project:
        town.pages(project, waiting=3)
        return seen(project)


def tasks_failing(town: Town) -> Scrape:
    project = town.make_project()
    spool = fill_spool(project, 20)
    store(spool, 12, ago=60, failed="poison")
    spool.close()
    return seen(project)


def pages_failing(town: Town) -> Scrape:
    with town.working() as project:
        town.pages(project, failed=4, done=10)
        return seen(project)


def redis_away(town: Town) -> Scrape:
    with town.working() as project:
        object.__setattr__(project.redis, "url", "redis://127.0.0.1:9/0")
        return seen(project)


def redis_full(town: Town) -> Scrape:
    with town.working() as project, redis_for(project) as handle:
        redis = handle.connect()
        ballast = 2**24  # bytes; what is in use besides comes and goes, as buffers of clients do
        redis.set("kk:ballast", b"x" * ballast)
        redis.config_set("maxmemory", int(ballast / 0.75))
        return seen(project)


def queue_old(town: Town) -> Scrape:
    with town.working() as project, redis_for(project) as handle:
        redis = handle.connect()
        spool = fill_spool(project, 2, first=500)
        queued = tasks.claim(spool, "paper", 2)
        spool.close()
        enqueue(redis, queued)
        (first,) = redis.lrange(f"rq:queue:{keys.QUEUE}", 0, 0)
        redis.hset(b"rq:job:" + first, "enqueued_at", "2020-01-01T00:00:00.000000Z")
        return seen(project)


def disk_low(town: Town) -> Scrape:
    with town.working("[crawl]\nmin_free_mb = 99999999\n") as project:
        return seen(project)


SITUATIONS: dict[str, Callable[[Town], Scrape]] = {
    "KkoracleStalled": stalled,
    "KkoracleNoWorker": no_worker,
    "KkoraclePaused": paused,
    "KkoracleDaemonSilent": silent,
    "KkoracleBlind": blind,
    "KkoracleCrawlStalled": crawl_stalled,
    "KkoracleTasksFailing": tasks_failing,
    "KkoraclePagesFailing": pages_failing,
    "KkoracleRedisAway": redis_away,
    "KkoracleRedisFull": redis_full,
    "KkoracleQueueOld": queue_old,
    "KkoracleDiskLow": disk_low,
}
IN_PROCESSES = {"KkoracleDaemonDown", "KkoracleWorkerDown", "KkoracleWorkerCrashes"}


@pytest.fixture
def town(make_project: Maker, popen: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> Town:
    return Town(make_project, popen, tmp_path)


def test_every_rule_has_a_situation_a_severity_and_a_sentence_that_says_what_to_do() -> None:
    assert set(RULES) == set(SITUATIONS) | IN_PROCESSES
    for rule in RULES.values():
        assert rule["labels"]["severity"] in ("page", "warn")
        assert len(rule["annotations"]["summary"]) > 20


@pytest.mark.parametrize("rule", SITUATIONS)
def test_a_rule_fires_where_its_situation_is_caused(rule: str, town: Town) -> None:
    assert rule in firing(SITUATIONS[rule](town))


def test_no_rule_fires_while_all_is_well(town: Town) -> None:
    with town.working() as project, redis_for(project) as handle:
        beat(handle.connect(), "m4")
        town.pages(project, done=20, failed=1)
        assert firing(seen(project)) == set()


def free_ports(count: int) -> list[int]:
    import socket

    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def test_rules_on_processes_fire_when_the_processes_die(town: Town) -> None:
    one, two = free_ports(2)
    with Endpoint(delay=0.3) as endpoint:
        project = town.make_project(
            f'engine = "openai"\nurl = "{endpoint.url}"\n'
            f"[operate]\ncrawl_port = {one}\nwork_port = {two}\n"
        )
        fill_spool(project, 200).close()
        crawl = town.popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=town.folder)
        work = town.popen("-m", "kkoracle", "work", cwd=town.folder)
        until(lambda: endpoint.asked.total() > 5)
        daemon_at, worker_at = scrape(one), scrape(two, "kkoracle-work")
        assert not firing(daemon_at) and not firing(worker_at)
        (width,) = worker_at["kkoracle_worker_width"].values()
        assert width == 4
        for kills in (1, 2):
            os.kill(worker_of(work.pid), signal.SIGKILL)
            until(lambda least=kills: restarts(scrape(two)) >= least)
            until(lambda: any(scrape(two)["kkoracle_worker_up"].values()))
        later = scrape(two, "kkoracle-work")
        assert fires("KkoracleWorkerCrashes", later, worker_at)
        assert not fires("KkoracleWorkerDown", later)
        for process in (work, crawl):
            process.kill()
            process.wait()
        assert fires("KkoracleDaemonDown", scrape(one))
        assert fires("KkoracleWorkerDown", scrape(two, "kkoracle-work"))


def restarts(found: Scrape) -> float:
    return sum(found.get("kkoracle_worker_restarts_total", {}).values())
