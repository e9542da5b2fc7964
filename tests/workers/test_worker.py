"""The worker as a real process on a real Redis: nothing lost, nothing stored twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import get_args

import orjson
import pytest
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import enqueue, make_queue
from exchange.records import Task, TaskKind
from exchange.store import tasks
from exchange.store.spool import Spool
from tests.workers.conftest import Pipeline, make_pump
from tests.workers.endpoint import Endpoint, answer_about

Open = Callable[..., object]


def children_all_gone(pipeline: Pipeline) -> bool:
    return not pipeline.redis.keys("kk:*:task:*") and not pipeline.redis.hlen(keys.result("paper"))


def test_every_task_is_done_once_and_redis_is_empty_afterwards(open_pipeline: Open) -> None:
    with open_pipeline(60) as pipeline:
        worker = pipeline.start_worker("--burst")
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 60
        assert worker.wait(20) == 0
        assert set(pipeline.endpoint.asked.values()) == {1}
        pipeline.until(lambda: children_all_gone(pipeline))
        assert pipeline.redis.get(keys.stat("tokens")) == b"300"


def test_the_batch_is_as_wide_as_asked(open_pipeline: Open) -> None:
    with open_pipeline(24, delay=1.0) as pipeline:
        pipeline.start_worker("--burst")
        pipeline.until(lambda: pipeline.requests() > 0)
        first = time.monotonic()
        pipeline.until_done()
        # 24 tasks of a second each, 4 at a time: 6 s; one by one would be 24 s.
        assert time.monotonic() - first < 15


def test_a_killed_workers_tasks_are_done_by_the_next_one(open_pipeline: Open) -> None:
    with open_pipeline(30, delay=0.3) as pipeline:
        first = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 8)
        first.kill()
        killed = time.monotonic()
        pipeline.start_worker()
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30
        assert time.monotonic() - killed < 40
        # At most what was in flight (width 4 and 8 ahead) was asked for again.
        assert pipeline.requests() <= 30 + 12


def test_a_killed_redis_costs_nothing(open_pipeline: Open) -> None:
    with open_pipeline(30, delay=0.2) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 8)
        pid = int(orjson.loads((pipeline.project.redis_dir / "redis.json").read_bytes())["pid"])
        os.kill(pid, signal.SIGKILL)
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30


def test_a_flushed_redis_is_rebuilt_from_the_spool(open_pipeline: Open) -> None:
    with open_pipeline(40, delay=0.2) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 8)
        pipeline.redis.flushall()
        pipeline.until(
            lambda: bool(pipeline.redis.smembers("rq:workers"))
        )  # in the dashboard again
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 40


def test_one_signal_finishes_what_is_in_flight_and_gives_the_rest_back(open_pipeline: Open) -> None:
    with open_pipeline(40, delay=0.5) as pipeline:
        worker = pipeline.start_worker(KKORACLE_WORK_GRACE_S="10")
        pipeline.until(lambda: pipeline.requests() >= 4)
        worker.terminate()
        assert worker.wait(20) == 3
        in_hand = pipeline.requests()
        queue = make_queue(pipeline.redis)
        assert queue.started_job_registry.count == 0
        pipeline.until(lambda: pipeline.counters().get("tasks.done", 0) == in_hand)
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 40
        assert set(pipeline.endpoint.asked.values()) == {1}


def test_a_second_signal_stops_at_once_and_burns_no_retry(open_pipeline: Open) -> None:
    with open_pipeline(12, delay=20) as pipeline:
        worker = pipeline.start_worker(KKORACLE_WORK_GRACE_S="60")
        pipeline.until(lambda: pipeline.requests() >= 4)
        worker.terminate()
        time.sleep(0.5)
        worker.terminate()
        assert worker.wait(10) == 3
        queue = make_queue(pipeline.redis)
        assert queue.count == 12
        left = {Job.fetch(i, pipeline.redis, JSONSerializer).retries_left for i in queue.job_ids}
        assert left == {1000}


def test_a_frozen_worker_beyond_its_lease_doubles_nothing(open_pipeline: Open) -> None:
    with open_pipeline(20, delay=0.3) as pipeline:
        frozen = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 6)
        os.kill(frozen.pid, signal.SIGSTOP)
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.counters().get("tasks.done", 0) >= 18, 60)
        os.kill(frozen.pid, signal.SIGCONT)
        counters = pipeline.until_done()
        time.sleep(1)
        assert pipeline.counters() == counters
        assert counters["tasks.done"] == counters["pairs.accepted"] == 20


def test_a_poison_task_fails_alone_and_its_neighbours_finish(open_pipeline: Open) -> None:
    def reply(prompt: str) -> str:
        if "Αριθμός 7." in prompt:
            for pid in list(victims):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
        return answer_about(prompt)

    victims: set[int] = set()
    with open_pipeline(10, endpoint=Endpoint(reply=reply)) as pipeline:
        deadline = time.monotonic() + 100
        while pipeline.open_tasks() and time.monotonic() < deadline:
            worker = pipeline.start_worker()
            victims.clear()
            victims.add(worker.pid)
            while worker.poll() is None and pipeline.open_tasks():
                time.sleep(0.1)
        counters = pipeline.counters()
        assert counters["tasks.done"] == 9 and counters["failed.poison"] == 1
        (failed,) = FailedJobRegistry(queue=make_queue(pipeline.redis)).get_job_ids()
        job = Job.fetch(failed, pipeline.redis, JSONSerializer)
        assert job.latest_result().exc_string == "poison"


def test_a_task_of_another_recipe_is_given_back_and_said_so(open_pipeline: Open) -> None:
    with open_pipeline(4) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 4)
        worker = pipeline.start_worker("--burst", KKORACLE_MODEL_NAME="another/model")
        assert worker.wait(20) == 2
        assert worker.stdout is not None and "another/model" in worker.stdout.read()
        assert make_queue(pipeline.redis).count == 4
        assert pipeline.requests() == 0


def test_after_a_new_recipe_no_job_of_the_old_one_is_left_of_any_kind(
    open_pipeline: Open, make_project: Callable[..., Project]
) -> None:
    """Before, the other kinds' jobs stayed, and no worker could start but on an empty Redis."""
    with open_pipeline(3) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 3)
        pipeline.pump.stop()
        spool = Spool.open(pipeline.project.archive_dir())
        for number, kind in enumerate(get_args(TaskKind)):
            if kind != "chunk":
                task = Task(
                    id=f"{number:024x}",
                    archive="paper",
                    kind=kind,
                    chunk_ids=("c",),
                    recipe="0ld0ld",
                    given={"question": "q", "answer": "a"},
                    text="t",
                    header="h",
                )
                with spool.transaction():
                    tasks.add_task(spool, task, subject=kind, story_id="", year=2008)
                    spool.db.execute("UPDATE tasks SET state='queued' WHERE id=?", (task.id,))
                enqueue(pipeline.redis, [task])
        changed = make_project("seed = 8\n")
        spool.adopt_recipe(changed.recipe().id)
        spool.close()
        assert make_queue(pipeline.redis).count > 3
        pipeline.pump = make_pump(changed, pipeline.handle)
        pipeline.pump.start()
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 3)
        assert make_queue(pipeline.redis).count == 3
        assert sum(1 for _ in pipeline.redis.scan_iter("rq:job:*")) == 3
        assert pipeline.start_worker("--burst").wait(30) == 0
        assert pipeline.until_done()["tasks.done"] == 3
        assert pipeline.requests() == 3


def test_a_job_with_neither_input_nor_result_ends_as_gone(open_pipeline: Open) -> None:
    with open_pipeline(1) as pipeline:
        pipeline.start_worker("--burst").wait(20)
        stray = Task(
            id="f" * 24,
            archive="paper",
            kind="chunk",
            chunk_ids=("c",),
            recipe="x",
            text="t",
            header="h",
        )
        enqueue(pipeline.redis, [stray])
        pipeline.redis.delete(keys.task("paper", stray.id))
        assert pipeline.start_worker("--burst").wait(20) == 0
        assert pipeline.redis.get(keys.stat("gone")) == b"1"


def test_a_stored_result_is_acknowledged_without_asking_again(open_pipeline: Open) -> None:
    with open_pipeline(1) as pipeline:
        pipeline.start_worker("--burst").wait(20)
        pipeline.until_done()
        pipeline.pump.stop()
        task = Task(
            id="e" * 24,
            archive="paper",
            kind="chunk",
            chunk_ids=("c",),
            recipe=pipeline.project.recipe().id,
            text="t",
            header="h",
        )
        enqueue(pipeline.redis, [task])
        pipeline.redis.hset(keys.result("paper"), task.id, b"{}")
        before = pipeline.requests()
        assert pipeline.start_worker("--burst").wait(20) == 0
        assert pipeline.requests() == before
        assert make_queue(pipeline.redis).finished_job_registry.count == 2


def test_a_full_redis_is_waited_out_and_nothing_is_lost(open_pipeline: Open) -> None:
    with open_pipeline(30, delay=0.1) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 4)
        used = pipeline.redis.info("memory")["used_memory"]
        pipeline.redis.config_set("maxmemory", used)
        time.sleep(3)
        pipeline.redis.config_set("maxmemory", "256mb")
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30


def test_a_renewed_lease_leaves_a_job_that_can_be_read_again(open_pipeline: Open) -> None:
    with open_pipeline(2, delay=6.0) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() == 2)
        time.sleep(5)  # longer than the lease of 4 s
        registry = make_queue(pipeline.redis).started_job_registry
        ids = registry.get_job_ids(cleanup=False)
        assert len(ids) == 2
        assert all(Job.fetch(i, pipeline.redis, JSONSerializer).last_heartbeat for i in ids)
        assert pipeline.until_done()["tasks.done"] == 2
        assert pipeline.requests() == 2


def test_pause_stops_new_work_and_running_again_goes_on(open_pipeline: Open) -> None:
    with open_pipeline(30, delay=0.1) as pipeline:
        pipeline.redis.set(keys.CONTROL, "pause")
        pipeline.start_worker()
        time.sleep(3)
        assert pipeline.requests() == 0
        pipeline.redis.delete(keys.CONTROL)
        assert pipeline.until_done()["tasks.done"] == 30


@pytest.mark.parametrize("status", [500, 429])
def test_an_endpoint_that_stumbles_is_asked_again(open_pipeline: Open, status: int) -> None:
    endpoint = Endpoint()
    endpoint.status = [status]
    with open_pipeline(3, endpoint=endpoint) as pipeline:
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 3


def test_an_endpoint_that_does_not_know_the_model_burns_no_task(open_pipeline: Open) -> None:
    endpoint = Endpoint(delay=0.2)
    with open_pipeline(10, endpoint=endpoint) as pipeline:
        endpoint.status = [404] * 4
        worker = pipeline.start_worker("--burst")
        assert worker.wait(20) == 1
        assert worker.stdout is not None and "served_as" in worker.stdout.read()
        assert pipeline.open_tasks() == 10 and "tasks.failed" not in pipeline.counters()
        endpoint.status = []
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 10


def test_a_request_the_endpoint_refuses_fails_with_its_reason(open_pipeline: Open) -> None:
    endpoint = Endpoint()
    endpoint.status = [400]
    with open_pipeline(3, endpoint=endpoint) as pipeline:
        pipeline.start_worker("--burst")
        counters = pipeline.until_done()
        assert counters["failed.endpoint-400"] == 1 and counters["tasks.done"] == 2


def test_a_result_collected_twice_is_stored_once(open_pipeline: Open) -> None:
    with open_pipeline(5) as pipeline:
        pipeline.start_worker("--burst")
        counters = pipeline.until_done()
        spool = Spool.open(pipeline.project.archive_dir())
        ids = [row["id"] for row in spool.db.execute("SELECT id FROM tasks")]
        again = [tasks.Result(i, "paper", failed="late") for i in ids]
        assert tasks.finish(spool, again) == 0
        assert spool.counters() == counters
