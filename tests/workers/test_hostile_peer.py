"""Somebody with a worker's password writes all that a worker may write: nobody falls over it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.queue.redis_process import RedisProcess
from exchange.store.spool import Spool
from exchange.store.tasks import REFUSED, queued_ids
from kkoracle.status.read import read_queue
from tests.conftest import until
from tests.servers import free_port
from tests.workers.conftest import Pipeline
from tests.workers.endpoint import Endpoint
from workers.queue.heartbeat import WorkerProgress, worker_metrics

Open = Callable[..., object]
Attack = Callable[[Redis, list[str]], object]
JUNK = (b"", b"\xff\xfe", b"a b", b"../x", b"x:y:z", b"-1", b"nan", b"1e999", b"{" * 2000, b"0")
OWNED = Path(tempfile.gettempdir()) / f"kkoracle-owned-{os.getpid()}"
PICKLE = f"cos\nsystem\n(S'touch {OWNED}'\ntR.".encode()  # makes that file where it is loaded
_OF_A_JOB = """
created_at enqueued_at started_at ended_at last_heartbeat data timeout result_ttl failure_ttl
retries_left retry_intervals repeats_left dependency_ids status worker_name origin meta webhooks
success_callback_name failure_callback_name
"""
JOB_FIELDS = _OF_A_JOB.split()
WORKER_FIELDS = ("pid", "birth", "last_heartbeat", "queues", "state", "current_job", "death")
COUNTS = ("successful_job_count", "failed_job_count", "total_working_time")


def lists(peer: Redis, ids: list[str]) -> None:
    for key in ("rq:queue:generate", "rq:queue:generate:intermediate"):
        for junk in (*JUNK, PICKLE):
            peer.lpush(key, junk)
        peer.rpush(key, *ids)  # every job twice


def registries(peer: Redis, ids: list[str]) -> None:
    for name in ("wip", "finished", "failed", "deferred", "scheduled", "canceled"):
        for junk in JUNK:
            peer.zadd(f"rq:{name}:generate", {junk: 1})
            peer.zadd(f"rq:{name}:generate", {b"b" + junk: 10**12})
        peer.zadd(f"rq:{name}:generate", {f"{one}:none": 1 for one in ids[:3]})


def jobs(peer: Redis, ids: list[str]) -> None:
    for number, field in enumerate(JOB_FIELDS):
        for junk in JUNK:
            peer.hset(f"rq:job:{number}-{len(junk)}", field, junk)
            peer.lpush("rq:queue:generate", f"{number}-{len(junk)}")
            peer.zadd("rq:wip:generate", {f"{number}-{len(junk)}:x": 1})
    for one, field in zip(ids, JOB_FIELDS, strict=False):
        peer.hset(f"rq:job:{one}", field, PICKLE)


def job_keys(peer: Redis, ids: list[str]) -> None:
    for one in ids[:4]:
        peer.delete(f"rq:job:{one}")
        peer.set(f"rq:job:{one}", "no hash")
    peer.set("rq:job:wrong", "no hash")
    peer.lpush("rq:queue:generate", "wrong")
    peer.lpush("rq:queue:generate:intermediate", "wrong")
    peer.zadd("rq:wip:generate", {"wrong:x": 1})


def executions(peer: Redis, ids: list[str]) -> None:
    for one in ids:
        peer.xadd(f"rq:results:{one}", {"type": "9", "created_at": "x", "return_value": PICKLE})
        peer.zadd(f"rq:executions:{one}", {b"\xff": 1, f"{one}:x": 10**12})
        peer.hset(f"rq:execution:{one}:x", mapping={"created_at": "never", "job_id": "?"})


def workers(peer: Redis, ids: list[str]) -> None:
    for junk in JUNK:
        name = b"rq:worker:" + junk
        peer.sadd("rq:workers", junk, name)
        peer.sadd("rq:workers:generate", junk, name)
        peer.sadd("rq:queues", junk)
        peer.hset(name, mapping=dict.fromkeys((*WORKER_FIELDS, *COUNTS), junk))
    for name in living(peer):
        peer.hset(f"rq:worker:{name}", mapping=dict.fromkeys(COUNTS, "many"))


def marks(peer: Redis, ids: list[str]) -> None:
    for one in ids[:6]:
        peer.hset(keys.SUSPECT, one, "often")
        peer.hset(keys.STRIKE, one, "never")
    for junk in JUNK:
        for key in (keys.POPPED, keys.SUSPECT, keys.STRIKE):
            peer.hset(key, junk, junk)
            peer.hset(key, "a b", junk)
        peer.hset(keys.inflight("nobody"), junk, junk)
        peer.rpush("rq:queue:generate:intermediate", b"p" + junk)
        peer.hset(keys.POPPED, b"p" + junk, junk)


def heartbeats(peer: Redis, ids: list[str]) -> None:
    for name in (*living(peer), "evil\x1b[2J", "\xff"):
        peer.hset(keys.heartbeat(name), mapping={"done": "many", "width": "\x1b]0;x\x07"})
        peer.hset(keys.heartbeat(name), mapping={"inflight": "nan", "tokens_per_s": "fast"})
        peer.zadd(keys.SEEN, {name: 10**15, f"{name}-": -(10**15)})


def counters(peer: Redis, ids: list[str]) -> None:
    for name in ("tokens", "gone", "deadline", "refused"):
        peer.set(keys.stat(name), "many")


def counter_types(peer: Redis, ids: list[str]) -> None:
    for name in ("tokens", "gone", "deadline", "refused"):
        peer.delete(keys.stat(name))
        peer.rpush(keys.stat(name), "many")


def results(peer: Redis, ids: list[str]) -> None:
    for junk in (*JUNK, PICKLE):
        peer.hset(keys.result("paper"), junk, junk)
        peer.hset(keys.result("other"), junk, junk)
    for one, junk in zip(ids, JUNK, strict=False):
        peer.hset(keys.result("paper"), one, junk)


def lock(peer: Redis, ids: list[str]) -> None:
    peer.set("rq:clean_registries:generate", "for ever")
    peer.persist("rq:clean_registries:generate")
    peer.lmove("rq:queue:generate", "rq:queue:generate:intermediate")


def living(peer: Redis) -> list[str]:
    names = peer.zrangebyscore(keys.SEEN, 1, 10**11)
    return [name.decode() for name in names]


ATTACKS: tuple[Attack, ...] = (
    lists,
    registries,
    jobs,
    job_keys,
    executions,
    workers,
    marks,
    heartbeats,
    counters,
    counter_types,
    results,
    lock,
)


@pytest.fixture
def open_to_peers(make_project: Callable[..., Project]) -> Iterator[RedisProcess]:
    """Our Redis, open to workers elsewhere by their password."""
    project = make_project()
    server = RedisProcess(project.redis_dir, 64)
    address = f"127.0.0.1:{free_port()}"
    server.access(lambda before: redis_access.open_to_network(before, address))
    yield server
    server.access(redis_access.close_to_network)


def ids_of(pipeline: Pipeline) -> list[str]:
    spool = Spool.read(pipeline.project.archive_dir())
    try:
        return sorted(queued_ids(spool))
    finally:
        spool.close()


def end_in_order(worker: subprocess.Popen[str]) -> None:
    worker.terminate()
    said = worker.communicate(timeout=20)[0]
    assert worker.returncode == 3 and "Traceback" not in said, said


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_whatever_a_peer_writes_every_task_is_stored_once(
    open_to_peers: RedisProcess, open_pipeline: Open, attack: Attack
) -> None:
    with open_pipeline(12, endpoint=Endpoint(delay=0.2)) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 12)
        with Redis.from_url(open_to_peers.access().worker_url()) as peer:
            attack(peer, ids_of(pipeline))
            worker = pipeline.start_worker()
            pipeline.until(lambda: pipeline.requests() >= 1, 15)
            time.sleep(0.5)
            attack(peer, ids_of(pipeline))
        counters = pipeline.until_done(60)
        assert worker.poll() is None, worker.stdout and worker.stdout.read()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 12
        assert counters.get(REFUSED, 0) == 0 or attack is results
        end_in_order(worker)
        assert not OWNED.exists()


def test_who_writes_while_the_others_are_looked_after_ends_nobody(
    open_to_peers: RedisProcess, open_pipeline: Open
) -> None:
    """Leases of 4 s are looked after every 2 s; what is no text lies there again in between."""
    with open_pipeline(4, endpoint=Endpoint(delay=0.2)) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 4)
        worker = pipeline.start_worker(KKORACLE_WORK_LEASE_S="4")
        pipeline.until(lambda: pipeline.requests() >= 1, 15)
        with Redis.from_url(open_to_peers.access().worker_url()) as peer:
            ends = time.monotonic() + 7
            while time.monotonic() < ends and worker.poll() is None:
                workers(peer, [])
        end_in_order(worker)


def test_what_a_peer_writes_as_our_heartbeat_is_shown_as_text_and_numbers(
    open_to_peers: RedisProcess, open_pipeline: Open
) -> None:
    with (
        open_pipeline(0) as pipeline,
        Redis.from_url(open_to_peers.access().worker_url()) as peer,
    ):
        evil = {"done": "many", "width": "\x1b[2J", "inflight": "nan", "tokens_per_s": "1e999"}
        for name, field in (("a", "state"), ("b", "\udcff")):
            peer.zadd(keys.SEEN, {name: time.time()})
            said = {**evil, field: "\x1b]0;owned\x07" * 99}
            peer.hset(
                keys.heartbeat(name),
                mapping={k.encode("utf-8", "surrogateescape"): v for k, v in said.items()},
            )
        progress = WorkerProgress(pipeline.redis)
        for name in ("a", "b"):
            line = progress._line(name)
            assert "0 tasks done" in line and line.isprintable() and len(line) < 200
            peer.hset(f"rq:worker:{name}", "successful_job_count", "many")
            assert progress.did_work(name) is False
            figures = {one.name: one.value for one in worker_metrics(name, 0, pipeline.redis)}
            assert figures["worker_done"] == figures["worker_tokens_per_second"] == 0
        seen = read_queue(pipeline.project)
        assert [worker.name for worker in seen.workers] == ["a", "b"]
        assert {worker.tokens_per_s for worker in seen.workers} == {0.0}
        for name in ("a", "b"):
            peer.delete(keys.heartbeat(name))
            peer.set(keys.heartbeat(name), "no hash")
            assert progress._line(name) and list(worker_metrics(name, 0, pipeline.redis))
        assert read_queue(pipeline.project).redis


def test_an_input_of_another_task_is_not_asked_for(open_pipeline: Open) -> None:
    with open_pipeline(4) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 4)
        first, second, third, _ = ids_of(pipeline)
        right = pipeline.redis.get(keys.task("paper", second))
        assert right is not None
        pipeline.redis.set(keys.task("paper", first), right)
        other = right.replace(b'"archive":"paper"', b'"archive":"other"')
        assert other != right
        pipeline.redis.set(keys.task("paper", second), other)
        pipeline.redis.set(keys.task("paper", third), right[:-1] + b',"more":1}')
        assert pipeline.start_worker("--burst").wait(30) == 0
        counters = pipeline.until_done()
        assert counters["failed.bad-input"] == 3 and counters["tasks.done"] == 1
        assert pipeline.requests() == 1


def test_a_peer_that_turns_a_key_into_another_type_is_named_and_nothing_is_lost(
    open_to_peers: RedisProcess, open_pipeline: Open
) -> None:
    with open_pipeline(6, endpoint=Endpoint(delay=0.2)) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 6)
        with Redis.from_url(open_to_peers.access().worker_url()) as peer:
            peer.delete("rq:queue:generate")
            peer.set("rq:queue:generate", "no list")
            worker = pipeline.start_worker()
            code = worker.wait(30)
            assert worker.stdout is not None
            said = worker.stdout.read()
            assert code == 1, said
            assert "used for something else" in said and "Traceback" not in said
            until(lambda: pipeline.pump.error is not None, 20)
            assert "used for something else" in str(pipeline.pump.error)
            with pytest.raises(ResponseError):
                peer.llen("rq:queue:generate")
        assert pipeline.open_tasks() == 6
