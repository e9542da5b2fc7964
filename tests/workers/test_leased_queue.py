"""What the leased queue writes by hand into RQ's own hashes is what RQ itself writes and reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from rq import SimpleWorker, Worker
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import enqueue
from exchange.queue.redis_endpoint import redis_for
from exchange.records import Task, digest
from workers.queue.leased_queue import LeasedQueue
from workers.queue.maintenance import LeasingWorker, open_queue

LEASE_S = 30
NAMES = ("one", "two", "three")


@pytest.fixture
def redis(make_project: Callable[..., Project]) -> Iterator[Redis]:
    with redis_for(make_project()) as handle:
        yield handle.connect()


@pytest.fixture
def worker(redis: Redis) -> LeasingWorker:
    worker = LeasingWorker(redis, open_queue(redis, LEASE_S), "ours", LEASE_S)
    worker.register_birth()
    return worker


@pytest.fixture
def leased(redis: Redis, worker: LeasingWorker) -> LeasedQueue:
    enqueue(
        redis,
        [
            Task(
                id=digest(name),
                archive="paper",
                kind="chunk",
                chunk_ids=("c",),
                recipe="r",
                text="t",
                header="h",
            )
            for name in NAMES
        ],
    )
    return LeasedQueue(redis, open_queue(redis, LEASE_S), worker.name, LEASE_S)


def hash_of(redis: Redis, key: str) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in redis.hgetall(key).items()}


def job(redis: Redis, task_id: str) -> Job:
    return Job.fetch(task_id, connection=redis, serializer=JSONSerializer)


def test_the_worker_key_is_the_one_that_rq_gives(
    worker: LeasingWorker, leased: LeasedQueue
) -> None:
    assert leased._worker_key == worker.key == SimpleWorker.redis_worker_namespace_prefix + "ours"


def test_the_counters_are_those_that_rq_counts_in(
    redis: Redis, worker: LeasingWorker, leased: LeasedQueue
) -> None:
    done, failed, waiting = leased.take(leased.pop(3))
    with redis.pipeline() as pipe:
        leased.ack(pipe, done, {"accepted": 2})
        leased.fail(pipe, failed, "no-pair")
        pipe.execute()
    worker.increment_successful_job_count()
    worker.increment_failed_job_count()
    (shown,) = Worker.all(connection=redis)
    assert (shown.successful_job_count, shown.failed_job_count) == (2, 2)
    assert StartedJobRegistry("generate", redis).get_job_ids() == [waiting.task_id]


def test_the_job_shown_for_the_worker_is_one_that_it_holds(
    redis: Redis, worker: LeasingWorker, leased: LeasedQueue
) -> None:
    held = leased.take(leased.pop(3))
    (shown,) = Worker.all(connection=redis)
    assert shown.get_current_job_id() in {found.task_id for found in held}
    leased.give_back(held)
    (shown,) = Worker.all(connection=redis)
    assert shown.get_current_job_id() is None
    assert "current_job" not in hash_of(redis, worker.key)


def test_current_job_is_written_as_rq_writes_it(
    redis: Redis, worker: LeasingWorker, leased: LeasedQueue
) -> None:
    if not hasattr(worker, "set_current_job_id"):  # RQ 3 reads it from the executions
        return
    (held,) = leased.take(leased.pop(1))
    ours = hash_of(redis, worker.key)["current_job"]
    worker.set_current_job_id(held.task_id)
    assert hash_of(redis, worker.key)["current_job"] == ours == held.task_id


def test_an_acknowledged_job_has_the_fields_and_the_life_of_one_that_rq_ran(
    redis: Redis, leased: LeasedQueue, worker: LeasingWorker
) -> None:
    (held,) = leased.take(leased.pop(1))
    with redis.pipeline() as pipe:
        leased.ack(pipe, held, {"accepted": 2})
        pipe.execute()
    found = job(redis, held.task_id)
    assert found.get_status() == JobStatus.FINISHED and found.return_value() == {"accepted": 2}
    assert found.worker_name == "ours" and found.started_at and found.ended_at
    life = found.get_result_ttl(worker.default_result_ttl)
    assert life - 5 < redis.ttl(found.key) <= life
    assert FinishedJobRegistry("generate", redis).get_job_ids() == [held.task_id]
    assert not redis.exists(held.execution.key) and not redis.hlen(keys.inflight("ours"))


def test_a_failed_job_keeps_its_reason_and_no_traceback(redis: Redis, leased: LeasedQueue) -> None:
    (held,) = leased.take(leased.pop(1))
    with redis.pipeline() as pipe:
        leased.fail(pipe, held, "no-pair")
        pipe.execute()
    found = job(redis, held.task_id)
    assert found.get_status() == JobStatus.FAILED
    result = found.latest_result()
    assert result is not None and result.exc_string == "no-pair"
    assert FailedJobRegistry("generate", redis).get_job_ids() == [held.task_id]


def test_renewing_moves_what_rq_reads_as_the_end_of_a_lease(
    redis: Redis, leased: LeasedQueue, worker: LeasingWorker
) -> None:
    held = leased.take(leased.pop(2))
    registry = StartedJobRegistry("generate", redis)
    before = dict(redis.zrange(registry.key, 0, -1, withscores=True))
    assert len(before) == 2
    time.sleep(1.1)
    with redis.pipeline() as pipe:
        worker.renew_registration(pipe)
        leased.renew(pipe, held)
        pipe.execute()
    after = dict(redis.zrange(registry.key, 0, -1, withscores=True))
    assert all(after[name] > before[name] for name in before)
    for one in held:
        stored = Execution.fetch(one.execution.id, one.task_id, redis)
        assert stored.worker_name == "ours"
        assert job(redis, one.task_id).last_heartbeat is not None


def test_what_is_given_back_stands_in_front_in_its_old_order(
    redis: Redis, leased: LeasedQueue
) -> None:
    popped = leased.pop(2)
    held = leased.take(popped)
    leased.give_back(held)
    order = [name.decode() for name in redis.lrange("rq:queue:generate", 0, -1)]
    assert order[:2] == [found.id for found in popped] and len(order) == 3
    assert {job(redis, one.task_id).get_status() for one in held} == {JobStatus.QUEUED}
    assert not redis.zcard(StartedJobRegistry("generate", redis).key)
    assert not leased.is_drained()


def test_a_queue_is_drained_when_nothing_waits_and_nothing_is_held(
    redis: Redis, leased: LeasedQueue
) -> None:
    held = leased.take(leased.pop(3))
    assert not leased.is_drained()
    with redis.pipeline() as pipe:
        for one in held:
            leased.ack(pipe, one, {})
        pipe.execute()
    assert leased.is_drained()
