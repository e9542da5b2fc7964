"""Redis away, Redis full, Redis shared: nothing is lost, nothing gets mixed up."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from exchange.lock import REDIS_LOCK, FileLock
from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import BATCH, HIGH, Feeder, make_queue
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import RedisEndpoint, redis_for
from exchange.store.spool import Spool
from tests.conftest import fill_spool, until
from tests.servers import OwnServer
from tests.workers.conftest import Pipeline
from workers.queue.jobs import CannotPersistError, retry_while_full

Open = Callable[..., object]
Maker = Callable[..., Project]
AWAY_S = 60
TASKS = 24


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    found = OwnServer(tmp_path)
    found.start()
    yield found
    found.kill()


@pytest.mark.storm
def test_redis_away_for_a_minute_ends_no_worker_and_loses_nothing(
    open_pipeline: Open, server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KKORACLE_REDIS_URL", server.url)
    with open_pipeline(30, delay=0.3) as pipeline:
        worker = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 6)
        server.kill()
        time.sleep(AWAY_S)
        assert worker.poll() is None and pipeline.pump.error is None
        server.start()
        counters = pipeline.until_done()
        assert counters["tasks.done"] == 30
        assert sum(count for name, count in counters.items() if name.startswith("pairs.")) == 30
        assert worker.poll() is None
        assert pipeline.requests() <= 30 + 12  # width and the jobs ahead


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_redis_that_comes_back_with_half_of_its_file_loses_and_doubles_nothing(
    open_pipeline: Open, share: float
) -> None:
    with open_pipeline(TASKS, delay=0.3) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 12)
        with FileLock(pipeline.project.redis_dir / REDIS_LOCK):  # so that nobody brings it back yet
            os.kill(pipeline.redis.info("server")["process_id"], signal.SIGKILL)
            (file,) = pipeline.project.redis_dir.glob("appendonly*/*.incr.aof")
            os.truncate(file, int(share * file.stat().st_size))
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == TASKS


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
    open_pipeline: Open,
) -> None:
    with open_pipeline(8, delay=1.5) as pipeline:
        worker = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 4)
        pipeline.redis.config_set("maxmemory", 1)  # before any of them has ended
        time.sleep(3)
        assert worker.poll() is None and not pipeline.redis.hlen(keys.result("paper"))
        assert pipeline.counters().get("tasks.done", 0) == 0
        pipeline.redis.config_set("maxmemory", "256mb")
        assert pipeline.until_done()["tasks.done"] == 8
        assert set(pipeline.endpoint.asked.values()) == {1}  # what was generated was not lost


def test_a_redis_that_cannot_save_is_waited_for_by_its_class(
    server: OwnServer, tmp_path: Path
) -> None:
    redis = Redis.from_url(server.url)
    redis.config_set("save", "3600 1")
    shutil.rmtree(tmp_path)
    redis.bgsave()
    until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", 20)
    with pytest.raises(CannotPersistError):
        redis.set("key", "value")
    with pytest.raises(CannotPersistError), redis.pipeline() as pipe:
        pipe.set("key", "value")
        pipe.execute()
    threading.Timer(1.0, lambda: redis.config_set("save", "")).start()
    assert retry_while_full(lambda: redis.set("key", "value")) is True


@contextmanager
def second_archive(pipeline: Pipeline, project: Project, count: int) -> Iterator[QueuePump]:
    fill_spool(project, count, archive="other").close()
    connect = RedisEndpoint(pipeline.url, "").connect
    flow = QueuePump(
        project.archive_dir("other"), "other", project.recipe(), connect, reconcile_s=1
    )
    flow.start()
    yield flow
    flow.stop()


def test_two_archives_on_one_redis_keep_apart(open_pipeline: Open) -> None:
    with open_pipeline(20, delay=0.05) as pipeline, second_archive(pipeline, pipeline.project, 30):
        pipeline.start_worker()
        assert pipeline.until_done()["tasks.done"] == 20
        pipeline.until(lambda: not pipeline.redis.keys("kk:other:task:*"))
        spool = Spool.read(pipeline.project.archive_dir("other"))
        assert spool.counters()["tasks.done"] == 30
        spool.close()


def test_a_second_model_on_one_redis_is_refused_in_one_line(
    open_pipeline: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_pipeline(4) as pipeline:
        pipeline.until(lambda: bool(pipeline.redis.exists(keys.recipe("paper"))))
        monkeypatch.setenv("KKORACLE_MODEL_NAME", "another/model")
        with second_archive(pipeline, pipeline.project, 4) as rival:
            pipeline.until(lambda: rival.error is not None)
        assert "another/model" in str(rival.error) and "paper" in str(rival.error)
        assert not pipeline.redis.keys("kk:other:task:*")
        worker = pipeline.start_worker(KKORACLE_MODEL_NAME="another/model")
        assert worker.wait(20) == 2
        assert worker.stdout is not None and "another/model" in worker.stdout.read()
        assert pipeline.requests() == 0
