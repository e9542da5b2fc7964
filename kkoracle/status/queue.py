"""What Redis knows: how much waits and since when, who works and how fast, who fell silent."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from exchange.display import printable
from exchange.errors import UserError
from exchange.project import Project
from exchange.queue import keys
from kkoracle.status.records import QueueStatus, WorkerStatus

if TYPE_CHECKING:
    from redis import Redis

LOST_S = 86_400.0  # a worker that was silent for longer is nobody's concern
TIMEOUT_S = 1.0  # a Redis that needs longer is as good as away; `status` must not hang


def read_queue(project: Project) -> QueueStatus:
    """Ask the Redis of this house; one that is away is an answer too."""
    from redis.exceptions import RedisError

    from exchange.queue import redis_client

    url = redis_url(project)
    if not url:
        return QueueStatus("not running")
    client = redis_client.connect_redis(url, patient=False, answer_s=TIMEOUT_S)
    try:
        return _query_redis(client)
    except RedisError as error:
        return QueueStatus(f"away ({type(error).__name__})")
    except UserError as error:
        return QueueStatus(f"away ({error})")
    finally:
        client.close()


def redis_url(project: Project) -> str:
    """The URL of the Redis in use; "" when it would be ours and does not run."""
    from exchange.queue.redis_process import RedisProcess

    if project.redis.url:
        return project.redis.url
    server = RedisProcess(project.redis_dir, project.redis.maxmemory_mb)
    return server.address() if server.is_alive() else ""


def _query_redis(redis: Redis) -> QueueStatus:
    """Two round trips, however many jobs and workers there are."""
    queue = f"rq:queue:{keys.QUEUE}"
    moment = time.time()
    with redis.pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.info("memory")
        pipe.llen(queue)
        pipe.lindex(queue, 0)
        pipe.get(keys.CONTROL)
        pipe.zrangebyscore(keys.SEEN, moment - LOST_S, "+inf", withscores=True)
        server, memory, waiting, first, control, seen = pipe.execute()
    names = {name.decode("utf-8", "replace"): at for name, at in seen}
    with redis.pipeline(transaction=False) as pipe:
        pipe.hget(b"rq:job:" + (first or b""), "enqueued_at")
        for name in names:
            pipe.hgetall(keys.heartbeat(name))
        since, *beats = pipe.execute()
    beaten = zip(names, beats, strict=True)
    living = {name: beat for name, beat in beaten if beat}
    return QueueStatus(
        redis=str(server["redis_version"]),
        up=True,
        waiting=int(waiting),
        oldest_s=_seconds_since(since, moment) if first else None,
        used_mb=int(memory["used_memory"]) // 2**20,
        limit_mb=int(memory.get("maxmemory") or 0) // 2**20,
        paused=control == b"pause",
        workers=tuple(_worker(name, beat) for name, beat in sorted(living.items())),
        lost={
            printable(n): max(0.0, moment - at)
            for n, at in sorted(names.items())
            if n not in living
        },
    )


def _worker(name: str, beat: dict[bytes, bytes]) -> WorkerStatus:
    said = {key.decode(): value.decode("utf-8", "replace") for key, value in beat.items()}
    return WorkerStatus(
        printable(name),
        printable(said.get("state", "")),
        int(_number(said.get("width"))),
        int(_number(said.get("inflight"))),
        int(_number(said.get("done"))),
        _number(said.get("tokens_per_s")),
    )


def _number(said: Any) -> float:
    try:
        return float(said)
    except (TypeError, ValueError):  # not written by a worker of ours
        return 0.0


def _seconds_since(raw: bytes | None, moment: float) -> float | None:
    """Seconds since a time as RQ writes it."""
    try:
        at = datetime.strptime((raw or b"").decode(), "%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, UnicodeDecodeError):
        return None
    return max(0.0, moment - at.replace(tzinfo=UTC).timestamp())
