"""What Redis knows: how much waits and since when, who works and how fast, who fell silent."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from exchange import keys
from exchange.errors import UserError
from exchange.house import House
from kkoracle.status.records import Queue, Worker
from workers.show import plain

if TYPE_CHECKING:
    from redis import Redis

LOST_S = 86_400.0  # a worker that was silent for longer is nobody's concern
ANSWER_S = 1.0  # a Redis that needs longer is as good as away; `status` must not hang


def ask(house: House) -> Queue:
    """Ask the Redis of this house; one that is away is an answer too."""
    from redis.exceptions import RedisError

    from exchange import redis_client

    url = address(house)
    if not url:
        return Queue("not running")
    client = redis_client.connect(url, patient=False, answer_s=ANSWER_S)
    try:
        return _read(client)
    except RedisError as error:
        return Queue(f"away ({type(error).__name__})")
    except UserError as error:
        return Queue(f"away ({error})")
    finally:
        client.close()


def address(house: House) -> str:
    """The URL of the Redis in use; "" when it would be ours and does not run."""
    from exchange.redis_child import ChildServer

    if house.redis.url:
        return house.redis.url
    server = ChildServer(house.redis_dir, house.redis.maxmemory_mb)
    return server.address() if server.is_alive() else ""


def _read(redis: Redis) -> Queue:
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
    return Queue(
        redis=str(server["redis_version"]),
        up=True,
        waiting=int(waiting),
        oldest_s=_age(since, moment) if first else None,
        used_mb=int(memory["used_memory"]) // 2**20,
        limit_mb=int(memory.get("maxmemory") or 0) // 2**20,
        paused=control == b"pause",
        workers=tuple(_worker(name, beat) for name, beat in sorted(living.items())),
        lost={
            plain(n): max(0.0, moment - at) for n, at in sorted(names.items()) if n not in living
        },
    )


def _worker(name: str, beat: dict[bytes, bytes]) -> Worker:
    said = {key.decode(): value.decode("utf-8", "replace") for key, value in beat.items()}
    return Worker(
        plain(name),
        plain(said.get("state", "")),
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


def _age(raw: bytes | None, moment: float) -> float | None:
    """Seconds since a time as RQ writes it."""
    try:
        at = datetime.strptime((raw or b"").decode(), "%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, UnicodeDecodeError):
        return None
    return max(0.0, moment - at.replace(tzinfo=UTC).timestamp())
