"""The worker as a real process on a real Redis: nothing lost, nothing stored twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import orjson
import pytest
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from exchange.queue import keys
from exchange.queue.feeder import enqueue, make_queue
from exchange.records import Task
from exchange.store import tasks
from exchange.store.spool import Spool
from tests.workers.conftest import Shop
from tests.workers.endpoint import Endpoint, answer_about

Open = Callable[..., object]


def children_all_gone(shop: Shop) -> bool:
    return not shop.redis.keys("kk:*:task:*") and not shop.redis.hlen(keys.result("paper"))


def test_every_task_is_done_once_and_redis_is_empty_afterwards(open_shop: Open) -> None:
    with open_shop(60) as shop:
        worker = shop.start_worker("--burst")
        counters = shop.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 60
        assert worker.wait(20) == 0
        assert set(shop.endpoint.asked.values()) == {1}
        shop.until(lambda: children_all_gone(shop))
        assert shop.redis.get(keys.stat("tokens")) == b"300"


def test_the_batch_is_as_wide_as_asked(open_shop: Open) -> None:
    with open_shop(24, delay=1.0) as shop:
        shop.start_worker("--burst")
        shop.until(lambda: shop.asked() > 0)
        first = time.monotonic()
        shop.until_done()
        # 24 tasks of a second each, 4 at a time: 6 s; one by one would be 24 s.
        assert time.monotonic() - first < 15


def test_a_killed_workers_tasks_are_done_by_the_next_one(open_shop: Open) -> None:
    with open_shop(30, delay=0.3) as shop:
        first = shop.start_worker()
        shop.until(lambda: shop.asked() >= 8)
        first.kill()
        killed = time.monotonic()
        shop.start_worker()
        counters = shop.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30
        assert time.monotonic() - killed < 40
        # At most what was in flight (width 4 and 8 ahead) was asked for again.
        assert shop.asked() <= 30 + 12


def test_a_killed_redis_costs_nothing(open_shop: Open) -> None:
    with open_shop(30, delay=0.2) as shop:
        shop.start_worker()
        shop.until(lambda: shop.asked() >= 8)
        pid = int(orjson.loads((shop.project.redis_dir / "redis.json").read_bytes())["pid"])
        os.kill(pid, signal.SIGKILL)
        counters = shop.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30


def test_a_flushed_redis_is_rebuilt_from_the_spool(open_shop: Open) -> None:
    with open_shop(40, delay=0.2) as shop:
        shop.start_worker()
        shop.until(lambda: shop.asked() >= 8)
        shop.redis.flushall()
        shop.until(lambda: bool(shop.redis.smembers("rq:workers")))  # in the dashboard again
        counters = shop.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 40


def test_one_signal_finishes_what_is_in_flight_and_gives_the_rest_back(open_shop: Open) -> None:
    with open_shop(40, delay=0.5) as shop:
        worker = shop.start_worker(KKORACLE_WORK_GRACE_S="10")
        shop.until(lambda: shop.asked() >= 4)
        worker.terminate()
        assert worker.wait(20) == 3
        in_hand = shop.asked()
        queue = make_queue(shop.redis)
        assert queue.started_job_registry.count == 0
        shop.until(lambda: shop.counters().get("tasks.done", 0) == in_hand)
        shop.start_worker("--burst")
        assert shop.until_done()["tasks.done"] == 40
        assert set(shop.endpoint.asked.values()) == {1}


def test_a_second_signal_stops_at_once_and_burns_no_retry(open_shop: Open) -> None:
    with open_shop(12, delay=20) as shop:
        worker = shop.start_worker(KKORACLE_WORK_GRACE_S="60")
        shop.until(lambda: shop.asked() >= 4)
        worker.terminate()
        time.sleep(0.5)
        worker.terminate()
        assert worker.wait(10) == 3
        queue = make_queue(shop.redis)
        assert queue.count == 12
        left = {Job.fetch(i, shop.redis, JSONSerializer).retries_left for i in queue.job_ids}
        assert left == {1000}


def test_a_frozen_worker_beyond_its_lease_doubles_nothing(open_shop: Open) -> None:
    with open_shop(20, delay=0.3) as shop:
        frozen = shop.start_worker()
        shop.until(lambda: shop.asked() >= 6)
        os.kill(frozen.pid, signal.SIGSTOP)
        shop.start_worker()
        shop.until(lambda: shop.counters().get("tasks.done", 0) >= 18, 60)
        os.kill(frozen.pid, signal.SIGCONT)
        counters = shop.until_done()
        time.sleep(1)
        assert shop.counters() == counters
        assert counters["tasks.done"] == counters["pairs.accepted"] == 20


def test_a_poison_task_fails_alone_and_its_neighbours_finish(open_shop: Open) -> None:
    def reply(prompt: str) -> str:
        if "Αριθμός 7." in prompt:
            for pid in list(victims):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
        return answer_about(prompt)

    victims: set[int] = set()
    with open_shop(10, endpoint=Endpoint(reply=reply)) as shop:
        deadline = time.monotonic() + 100
        while shop.open_tasks() and time.monotonic() < deadline:
            worker = shop.start_worker()
            victims.clear()
            victims.add(worker.pid)
            while worker.poll() is None and shop.open_tasks():
                time.sleep(0.1)
        counters = shop.counters()
        assert counters["tasks.done"] == 9 and counters["failed.poison"] == 1
        (failed,) = FailedJobRegistry(queue=make_queue(shop.redis)).get_job_ids()
        job = Job.fetch(failed, shop.redis, JSONSerializer)
        assert job.latest_result().exc_string == "poison"


def test_a_task_of_another_recipe_is_given_back_and_said_so(open_shop: Open) -> None:
    with open_shop(4) as shop:
        shop.until(lambda: shop.counters().get("tasks.queued") == 4)
        worker = shop.start_worker("--burst", KKORACLE_MODEL_NAME="another/model")
        assert worker.wait(20) == 2
        assert worker.stdout is not None and "another/model" in worker.stdout.read()
        assert make_queue(shop.redis).count == 4
        assert shop.asked() == 0


def test_a_job_with_neither_input_nor_result_ends_as_gone(open_shop: Open) -> None:
    with open_shop(1) as shop:
        shop.start_worker("--burst").wait(20)
        stray = Task("f" * 24, "paper", "chunk", ("c",), "x", "t", "h")
        enqueue(shop.redis, [stray])
        shop.redis.delete(keys.task("paper", stray.id))
        assert shop.start_worker("--burst").wait(20) == 0
        assert shop.redis.get(keys.stat("gone")) == b"1"


def test_a_stored_result_is_acknowledged_without_asking_again(open_shop: Open) -> None:
    with open_shop(1) as shop:
        shop.start_worker("--burst").wait(20)
        shop.until_done()
        shop.flow.stop()
        task = Task("e" * 24, "paper", "chunk", ("c",), shop.project.recipe().id, "t", "h")
        enqueue(shop.redis, [task])
        shop.redis.hset(keys.result("paper"), task.id, b"{}")
        before = shop.asked()
        assert shop.start_worker("--burst").wait(20) == 0
        assert shop.asked() == before
        assert make_queue(shop.redis).finished_job_registry.count == 2


def test_a_full_redis_is_waited_out_and_nothing_is_lost(open_shop: Open) -> None:
    with open_shop(30, delay=0.1) as shop:
        shop.start_worker()
        shop.until(lambda: shop.asked() >= 4)
        used = shop.redis.info("memory")["used_memory"]
        shop.redis.config_set("maxmemory", used)
        time.sleep(3)
        shop.redis.config_set("maxmemory", "256mb")
        counters = shop.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30


def test_a_renewed_lease_leaves_a_job_that_can_be_read_again(open_shop: Open) -> None:
    with open_shop(2, delay=6.0) as shop:
        shop.start_worker()
        shop.until(lambda: shop.asked() == 2)
        time.sleep(5)  # longer than the lease of 4 s
        registry = make_queue(shop.redis).started_job_registry
        ids = registry.get_job_ids(cleanup=False)
        assert len(ids) == 2
        assert all(Job.fetch(i, shop.redis, JSONSerializer).last_heartbeat for i in ids)
        assert shop.until_done()["tasks.done"] == 2
        assert shop.asked() == 2


def test_pause_stops_new_work_and_running_again_goes_on(open_shop: Open) -> None:
    with open_shop(30, delay=0.1) as shop:
        shop.redis.set(keys.CONTROL, "pause")
        shop.start_worker()
        time.sleep(3)
        assert shop.asked() == 0
        shop.redis.delete(keys.CONTROL)
        assert shop.until_done()["tasks.done"] == 30


@pytest.mark.parametrize("status", [500, 429])
def test_an_endpoint_that_stumbles_is_asked_again(open_shop: Open, status: int) -> None:
    endpoint = Endpoint()
    endpoint.status = [status]
    with open_shop(3, endpoint=endpoint) as shop:
        shop.start_worker("--burst")
        assert shop.until_done()["tasks.done"] == 3


def test_an_endpoint_that_does_not_know_the_model_burns_no_task(open_shop: Open) -> None:
    endpoint = Endpoint(delay=0.2)
    with open_shop(10, endpoint=endpoint) as shop:
        endpoint.status = [404] * 4
        worker = shop.start_worker("--burst")
        assert worker.wait(20) == 1
        assert worker.stdout is not None and "served_as" in worker.stdout.read()
        assert shop.open_tasks() == 10 and "tasks.failed" not in shop.counters()
        endpoint.status = []
        shop.start_worker("--burst")
        assert shop.until_done()["tasks.done"] == 10


def test_a_request_the_endpoint_refuses_fails_with_its_reason(open_shop: Open) -> None:
    endpoint = Endpoint()
    endpoint.status = [400]
    with open_shop(3, endpoint=endpoint) as shop:
        shop.start_worker("--burst")
        counters = shop.until_done()
        assert counters["failed.endpoint-400"] == 1 and counters["tasks.done"] == 2


def test_a_result_collected_twice_is_stored_once(open_shop: Open) -> None:
    with open_shop(5) as shop:
        shop.start_worker("--burst")
        counters = shop.until_done()
        spool = Spool.open(shop.project.archive_dir())
        ids = [row["id"] for row in spool.db.execute("SELECT id FROM tasks")]
        again = [tasks.Result(i, "paper", failed="late") for i in ids]
        assert tasks.finish(spool, again) == 0
        assert spool.counters() == counters
