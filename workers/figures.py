"""What one supervisor knows of its worker, as figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange import keys
from exchange.metrics import Figure
from workers.supervisor import Supervisor

if TYPE_CHECKING:
    from redis import Redis


def of_worker(supervisor: Supervisor, redis: Redis) -> Iterator[Figure]:
    """All figures, those of one name together; without Redis only those that need none."""
    from redis.exceptions import RedisError

    yield Figure(
        "worker_restarts_total",
        "ends of the worker that nobody asked for",
        supervisor.restarts,
        kind="counter",
    )
    try:
        beat = redis.hgetall(keys.heartbeat(supervisor.worker_name))
        waiting = redis.llen(f"rq:queue:{keys.QUEUE}")
    except RedisError:
        yield Figure("worker_redis_up", "1 while its Redis answers", 0.0)
        yield Figure("worker_up", "1 while the worker beats", 0.0)
        return
    yield Figure("worker_redis_up", "1 while its Redis answers", 1.0)
    yield Figure("worker_up", "1 while the worker beats", float(bool(beat)))
    yield Figure("queue_jobs", "jobs that wait for a worker", waiting)
    for field, name, help_text in (
        (b"width", "worker_width", "requests that it decodes together"),
        (b"inflight", "worker_inflight", "jobs in its hands"),
        (b"done", "worker_done", "jobs it has finished since it began"),
        (b"tokens_per_s", "worker_tokens_per_second", "tokens generated, over a minute"),
    ):
        yield Figure(name, help_text, float(beat.get(field) or 0))
