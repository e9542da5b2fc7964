"""Hostile jobs: whatever a job's hash names, the worker runs nothing but generation."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from exchange.queue import keys
from exchange.queue.feeder import enqueue, make_queue
from exchange.records import Task, digest
from tests.workers import bait
from tests.workers.conftest import Pipeline
from workers.job import TaskJob
from workers.queue.maintenance import open_queue

Open = Callable[..., object]


def hostile_jobs(queue: Queue, marker: Path) -> dict[str, object]:
    command = [f"touch {marker}"]
    good = ["paper", "a" * 24]
    return {
        "another function": {"func": "os.system", "args": command, "job_id": "a" * 24},
        "a method of an instance": {"func": "builtins.eval", "args": command, "job_id": "b" * 24},
        "keyword arguments": {
            "func": keys.FUNCTION,
            "args": good,
            "kwargs": {"x": 1},
            "job_id": "a" * 24,
        },
        "another task's id": {"func": keys.FUNCTION, "args": good, "job_id": "c" * 24},
        "an archive that is a path": {
            "func": keys.FUNCTION,
            "args": ["../../etc", "d" * 24],
            "job_id": "d" * 24,
        },
    }


NAMES = [
    "another function",
    "a method of an instance",
    "keyword arguments",
    "another task's id",
    "an archive that is a path",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_job_that_is_not_ours_fails_unrun(open_pipeline: Open, tmp_path: Path, name: str) -> None:
    with open_pipeline(0) as pipeline:
        queue, marker = make_queue(pipeline.redis), tmp_path / "marker"
        data = hostile_jobs(queue, marker)[name]
        queue.enqueue_many([Queue.prepare_data(**data)])
        assert pipeline.start_worker("--burst").wait(20) == 0
        assert not marker.exists()
        assert FailedJobRegistry(queue=queue).count == 1
        assert pipeline.redis.get(keys.stat("refused")) == b"1"


def test_a_pickled_job_is_refused_without_being_unpickled(
    open_pipeline: Open, tmp_path: Path
) -> None:
    with open_pipeline(0) as pipeline:
        marker = tmp_path / "marker"
        plain = Queue(keys.QUEUE, connection=pipeline.redis)  # RQ's default serializer is pickle
        plain.enqueue("os.system", f"touch {marker}", job_id="a" * 24)
        assert pipeline.start_worker("--burst").wait(20) == 0
        assert not marker.exists() and FailedJobRegistry(queue=plain).count == 1


def test_the_bait_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ's own job would call what the hash names: otherwise the tests below could not fail."""
    monkeypatch.setenv(bait.FOLDER, str(tmp_path))
    job = Job("a" * 24, connection=Redis(), serializer=JSONSerializer)
    job.restore({k.encode(): v.encode() for k, v in {**PLAIN, **baited("success", "")}.items()})
    assert job.success_callback is not None
    job.success_callback(job, None, None)
    assert bait.taken(tmp_path) == ["success"]


def test_callbacks_webhooks_and_repeats_of_a_good_job_are_forgotten(
    open_pipeline: Open, tmp_path: Path, listener: Listener
) -> None:
    with open_pipeline(0) as pipeline:
        for field in BAITED:
            task = good_task(pipeline, field)
            pipeline.redis.hset(f"rq:job:{task.id}", mapping=baited(field, listener.url))
        environment = {bait.FOLDER: str(tmp_path)}
        assert pipeline.start_worker("--burst", **environment).wait(20) == 0
        assert pipeline.requests() == len(BAITED)
        assert bait.taken(tmp_path) == [] and listener.calls == 0
        assert pipeline.redis.zcard("rq:scheduled:generate") == 0


def test_none_is_called_when_a_lease_expires_either(
    open_pipeline: Open, tmp_path: Path, listener: Listener
) -> None:
    with open_pipeline(0) as pipeline:
        for field in BAITED:
            task = good_task(pipeline, field)
            pipeline.redis.hset(f"rq:job:{task.id}", mapping=baited(field, listener.url))
            lease_and_die(pipeline.redis, task.id)
        time.sleep(1.5)
        pipeline.start_worker("--burst", **{bait.FOLDER: str(tmp_path)})
        pipeline.until(lambda: pipeline.requests() == len(BAITED))
        assert bait.taken(tmp_path) == [] and listener.calls == 0


class Listener:
    """Something on loopback that counts who calls it."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._socket.accept()[0].close()
                self.calls += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


PLAIN = {"data": "[]", "created_at": "2026-01-01T00:00:00.000000Z", "status": "queued"}
BAITED = {
    name: {f"{name}_callback_name": f"tests.workers.bait.{name}"}
    for name in ("success", "failure", "stopped")
} | {
    "webhooks": {},
    "repeats": {"repeats_left": "3", "repeat_intervals": "[1]"},
    "dependencies": {"dependency_ids": '["b"]'},
    "rate limit": {"rate_limit_key": "theirs", "rate_limit_concurrency": "1"},
}


def baited(field: str, hook: str) -> dict[str, str]:
    """What a hostile peer writes into a good job's hash."""
    if field == "webhooks":
        calls = [{"url": hook, "job_status": status} for status in ("finished", "failed")]
        return {field: json.dumps(calls)}
    return BAITED[field]


def good_task(pipeline: Pipeline, name: str = "") -> Task:
    pipeline.until(
        lambda: bool(pipeline.redis.exists(keys.recipe("paper")))
    )  # the pump's first sweep is over
    task = Task(
        id=digest(name),
        archive="paper",
        kind="chunk",
        chunk_ids=("c",),
        recipe=pipeline.project.recipe().id,
        text="Αριθμός 1.",
        header="κεφαλίδα",
    )
    enqueue(pipeline.redis, [task])
    return task


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
        job.prepare_for_execution("dead", pipeline=pipe)
        pipe.lrem(queue.intermediate_queue_key, 0, task_id)
        pipe.execute()


def test_an_unreadable_job_hash_is_dropped_and_stops_nobody(open_pipeline: Open) -> None:
    with open_pipeline(3) as pipeline:
        pipeline.redis.hset(
            "rq:job:evil", mapping={"data": zlib.compress(b"{}"), "created_at": "not a date"}
        )
        pipeline.redis.lpush("rq:queue:generate", "evil")
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 3
