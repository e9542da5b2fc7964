"""Redis away, Redis full, Redis shared: nothing is lost, nothing gets mixed up."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import BATCH, HIGH, Feeder, make_queue
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import RedisEndpoint, redis_for
from exchange.queue.redis_process import find_binary
from exchange.store.spool import Spool
from tests.conftest import fill_spool
from tests.workers.conftest import Shop

Open = Callable[..., object]
Maker = Callable[..., Project]
AWAY_S = 60


class OwnServer:
    """A Redis that nobody brings back but the test."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._folder = folder

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                str(find_binary()),
                "--port",
                str(self._port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--dir",
                str(self._folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        client, deadline = Redis.from_url(self.url), time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                client.ping()
                return
            except ConnectionError:
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    found = OwnServer(tmp_path)
    found.start()
    yield found
    found.kill()


@pytest.mark.storm
def test_redis_away_for_a_minute_ends_no_worker_and_loses_nothing(
    open_shop: Open, server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KKORACLE_REDIS_URL", server.url)
    with open_shop(30, delay=0.3) as shop:
        worker = shop.start_worker()
        shop.until(lambda: shop.asked() >= 6)
        server.kill()
        time.sleep(AWAY_S)
        assert worker.poll() is None and shop.flow.error is None
        server.start()
        counters = shop.until_done()
        assert counters["tasks.done"] == 30
        assert sum(count for name, count in counters.items() if name.startswith("pairs.")) == 30
        assert worker.poll() is None
        assert shop.asked() <= 30 + 12  # width and the jobs ahead


def test_memory_that_ends_while_enqueuing_leaves_no_half_of_a_batch(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, 2 * BATCH)
    with redis_for(project) as handle:
        redis, feeder = handle.connect(), Feeder(spool, "paper")
        make_queue(redis).get_redis_server_version()
        used = redis.info("memory")["used_memory"]
        redis.config_set("maxmemory", int(used / 0.69))  # below our share, but not for a batch
        assert feeder.feed(redis) == 0
        assert spool.counters()["tasks.new"] == 2 * BATCH
        assert not redis.keys("kk:paper:task:*") and not redis.keys("rq:job:*")
        redis.config_set("maxmemory", "256mb")
        assert feeder.feed(redis) == BATCH == redis.llen("rq:queue:generate")


def test_the_feeder_never_puts_more_into_redis_than_its_high_mark(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, HIGH + 300)
    with redis_for(project) as handle:
        redis, feeder = handle.connect(), Feeder(spool, "paper")
        assert sum(feeder.feed(redis) for _ in range(HIGH // BATCH + 3)) == HIGH
        assert redis.llen("rq:queue:generate") == HIGH


def test_memory_that_ends_before_the_ack_keeps_the_result_until_there_is_room(
    open_shop: Open,
) -> None:
    with open_shop(8, delay=1.5) as shop:
        worker = shop.start_worker()
        shop.until(lambda: shop.asked() >= 4)
        shop.redis.config_set("maxmemory", 1)  # before any of them has ended
        time.sleep(3)
        assert worker.poll() is None and not shop.redis.hlen(keys.result("paper"))
        assert shop.counters().get("tasks.done", 0) == 0
        shop.redis.config_set("maxmemory", "256mb")
        assert shop.until_done()["tasks.done"] == 8
        assert set(shop.endpoint.asked.values()) == {1}  # what was generated was not lost


@contextmanager
def second_archive(shop: Shop, project: Project, count: int) -> Iterator[QueuePump]:
    fill_spool(project, count, archive="other").close()
    connect = RedisEndpoint(shop.url, "").connect
    flow = QueuePump(
        project.archive_dir("other"), "other", project.recipe(), connect, reconcile_s=1
    )
    flow.start()
    yield flow
    flow.stop()


def test_two_archives_on_one_redis_keep_apart(open_shop: Open) -> None:
    with open_shop(20, delay=0.05) as shop, second_archive(shop, shop.project, 30):
        shop.start_worker()
        assert shop.until_done()["tasks.done"] == 20
        shop.until(lambda: not shop.redis.keys("kk:other:task:*"))
        spool = Spool.read(shop.project.archive_dir("other"))
        assert spool.counters()["tasks.done"] == 30
        spool.close()


def test_a_second_model_on_one_redis_is_refused_in_one_line(
    open_shop: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_shop(4) as shop:
        shop.until(lambda: bool(shop.redis.exists(keys.recipe("paper"))))
        monkeypatch.setenv("KKORACLE_MODEL_NAME", "another/model")
        with second_archive(shop, shop.project, 4) as rival:
            shop.until(lambda: rival.error is not None)
        assert "another/model" in str(rival.error) and "paper" in str(rival.error)
        assert not shop.redis.keys("kk:other:task:*")
        worker = shop.start_worker(KKORACLE_MODEL_NAME="another/model")
        assert worker.wait(20) == 2
        assert worker.stdout is not None and "another/model" in worker.stdout.read()
        assert shop.asked() == 0
