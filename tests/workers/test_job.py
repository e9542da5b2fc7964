"""Hostile jobs: whatever a job's hash names, the worker runs nothing but generation."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from exchange import keys
from exchange.feeder import enqueue, make_queue
from exchange.records import Task
from tests.workers.conftest import Shop
from workers.job import TaskJob
from workers.upkeep import open_queue

Open = Callable[..., object]


def hostile_jobs(queue: Queue, marker: Path) -> dict[str, object]:
    command = [f"touch {marker}"]
    good = ["paper", "a" * 24]
    return {
        "another function": {"func": "os.system", "args": command, "job_id": "a" * 24},
        "a method of an instance": {"func": "builtins.eval", "args": command, "job_id": "b" * 24},
        "keyword arguments": {
            "func": keys.FUNCTION, "args": good, "kwargs": {"x": 1}, "job_id": "a" * 24,
        },
        "another task's id": {"func": keys.FUNCTION, "args": good, "job_id": "c" * 24},
        "an archive that is a path": {
            "func": keys.FUNCTION, "args": ["../../etc", "d" * 24], "job_id": "d" * 24,
        },
    }  # fmt: skip


NAMES = [
    "another function",
    "a method of an instance",
    "keyword arguments",
    "another task's id",
    "an archive that is a path",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_job_that_is_not_ours_fails_unrun(open_shop: Open, tmp_path: Path, name: str) -> None:
    with open_shop(0) as shop:
        queue, marker = make_queue(shop.redis), tmp_path / "marker"
        data = hostile_jobs(queue, marker)[name]
        queue.enqueue_many([Queue.prepare_data(**data)])
        assert shop.start_worker("--burst").wait(20) == 0
        assert not marker.exists()
        assert FailedJobRegistry(queue=queue).count == 1
        assert shop.redis.get(keys.stat("refused")) == b"1"


def test_a_pickled_job_is_refused_without_being_unpickled(open_shop: Open, tmp_path: Path) -> None:
    with open_shop(0) as shop:
        marker = tmp_path / "marker"
        plain = Queue(keys.QUEUE, connection=shop.redis)  # RQ's default serializer is pickle
        plain.enqueue("os.system", f"touch {marker}", job_id="a" * 24)
        assert shop.start_worker("--burst").wait(20) == 0
        assert not marker.exists() and FailedJobRegistry(queue=plain).count == 1


def test_callbacks_webhooks_and_repeats_of_a_good_job_are_forgotten(
    open_shop: Open, tmp_path: Path
) -> None:
    with open_shop(0) as shop:
        marker = tmp_path / "marker"
        task = good_task(shop)
        poisoned_hash(shop, task, marker)
        assert shop.start_worker("--burst").wait(20) == 0
        assert shop.asked() == 1
        assert not marker.exists()
        assert shop.redis.zcard("rq:scheduled:generate") == 0


def test_failure_callbacks_are_not_called_when_a_lease_expires_either(
    open_shop: Open, tmp_path: Path
) -> None:
    with open_shop(0) as shop:
        marker = tmp_path / "marker"
        task = good_task(shop)
        poisoned_hash(shop, task, marker)
        lease_and_die(shop.redis, task.id)
        time.sleep(1.5)
        shop.start_worker("--burst")
        shop.until(lambda: shop.asked() == 1)
        assert not marker.exists()


def good_task(shop: Shop) -> Task:
    shop.until(
        lambda: bool(shop.redis.exists(keys.recipe("paper")))
    )  # the flow's first sweep is over
    task = Task(
        "a" * 24, "paper", "chunk", ("c",), shop.house.recipe().id, "Αριθμός 1.", "κεφαλίδα"
    )
    enqueue(shop.redis, [task])
    return task


def poisoned_hash(shop: Shop, task: Task, marker: Path) -> None:
    touch = "os.system"
    webhook = {"url": f"http://127.0.0.1:1/{marker.name}", "job_status": "finished"}
    shop.redis.hset(
        f"rq:job:{task.id}",
        mapping={
            "success_callback_name": touch,
            "failure_callback_name": touch,
            "stopped_callback_name": touch,
            "webhooks": json.dumps([webhook]),
            "repeats_left": "3",
            "repeat_intervals": "[1]",
        },
    )


def lease_and_die(redis: Redis, task_id: str) -> None:
    """Leave the job as a worker does that is killed: leased, and then silence."""
    queue = open_queue(redis, 1)
    (job, _) = queue.dequeue_any(
        [queue], None, connection=redis, job_class=TaskJob, serializer=JSONSerializer
    )
    assert job.id == task_id
    with redis.pipeline() as pipe:
        from rq.executions import Execution

        Execution.create(job, 1, pipeline=pipe, worker_name="dead")
        pipe.lrem(queue.intermediate_queue_key, 0, task_id)
        pipe.execute()


def test_an_unreadable_job_hash_is_dropped_and_stops_nobody(open_shop: Open) -> None:
    with open_shop(3) as shop:
        shop.redis.hset(
            "rq:job:evil", mapping={"data": zlib.compress(b"{}"), "created_at": "not a date"}
        )
        shop.redis.lpush("rq:queue:generate", "evil")
        shop.start_worker("--burst")
        assert shop.until_done()["tasks.done"] == 3
