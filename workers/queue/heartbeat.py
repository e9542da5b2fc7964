"""A worker's heartbeat for people: how wide, how fast, how far. It expires with the worker.

The worker writes it; its supervisor shows it as a line of progress and as figures for Prometheus.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exchange.metrics import MetricValue
from exchange.queue import keys
from exchange.text.controls import one_line
from workers.queue.maintenance import execute

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from exchange.queue.redis_clock import RedisClock
    from exchange.recipes.recipe import Recipe

WINDOW_S = 60.0  # the rate is that of the last minute
REMEMBER_S = 86_400.0  # so long a worker that fell silent is remembered
ANSWER_S = 1.0  # who only shows where a worker stands does not wait for a Redis that is silent
LONGEST_WORD = 40  # characters of a field that is shown
READ_S = 1.0  # between two looks at the heartbeat
PLAIN_LINE_S = 10.0  # between two lines where there is no terminal


class HeartbeatReporter:
    """Counts tokens, and writes `kk:hb:<worker>` when asked to."""

    def __init__(
        self,
        redis: Redis,
        clock: RedisClock,
        name: str,
        width: int,
        lease_s: int,
        recipe: Recipe,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._name = name
        self._key = keys.heartbeat(name)
        self._lease_s = lease_s
        self._constant = {"width": width, "recipe": recipe.id, "model": recipe.model}
        self._tokens = 0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def count(self, pipe: Pipeline, tokens: int) -> None:
        """Tasks have ended with this many tokens; `pipe` acknowledges them."""
        self._tokens += tokens
        pipe.incrby(keys.stat("tokens"), tokens)

    def beat(self, inflight: int, done: int, state: str) -> None:
        """Write where the worker stands."""
        from rq.utils import now, utcformat

        moment = self._clock.now()
        fields = {
            **self._constant,
            "inflight": inflight,
            "done": done,
            "state": state,
            "tokens_per_s": round(self._rate(), 1),
            "seen": utcformat(now()),
            "clock_ahead_s": round(self._clock.skew()),
        }
        with self._redis.pipeline() as pipe:
            pipe.hset(self._key, mapping=fields)
            pipe.expire(self._key, self._lease_s)
            pipe.zremrangebyscore(keys.SEEN, 0, moment - REMEMBER_S)
            pipe.zremrangebyscore(keys.SEEN, f"({moment + self._lease_s}", "+inf")
            pipe.zadd(keys.SEEN, {self._name: moment})
            execute(pipe)

    def end(self) -> None:
        """The worker has ended: forget it at once, without waiting for the expiry."""
        self._redis.delete(self._key)
        self._redis.zrem(keys.SEEN, self._name)

    def _rate(self) -> float:
        moment = time.monotonic()
        self._marks.append((moment, self._tokens))
        while len(self._marks) > 2 and moment - self._marks[1][0] >= WINDOW_S:
            self._marks.popleft()
        since, before = self._marks[0]
        return (self._tokens - before) / max(1.0, moment - since)


class WorkerProgress:
    """Shows the worker's heartbeat: a live line on a terminal, else a line now and then."""

    def __init__(self, redis: Redis) -> None:
        from rich.console import Console

        self._redis = redis
        self._console = Console(stderr=True)
        self._live = self._console.status("starting the worker") if sys.stderr.isatty() else None
        self._next_read = time.monotonic() + READ_S
        self._next_line = time.monotonic() + PLAIN_LINE_S
        self._last = ""
        self._worked = ""  # the last worker that was seen to have finished a job

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()
        self._redis.close()

    def tick(self, worker: str) -> None:
        """Show the state now, if it is time to."""
        moment = time.monotonic()
        if moment < self._next_read:
            return
        self._next_read = moment + READ_S
        line = self._line(worker)
        if self._live:
            self._live.update(line)
        elif moment >= self._next_line and line != self._last:
            self._next_line = moment + PLAIN_LINE_S
            self._console.print(line, highlight=False)
            self._last = line

    def did_work(self, worker: str) -> bool:
        """True when the worker had finished a job, well or badly.

        Redis may have been emptied since, so what it showed while the worker lived counts too.
        """
        from redis.exceptions import RedisError

        if worker == self._worked:
            return True
        try:
            counts = self._redis.hmget(
                f"rq:worker:{worker}", "successful_job_count", "failed_job_count"
            )
        except RedisError:
            return False
        return any(keys.number(count) for count in counts)

    def _line(self, worker: str) -> str:
        from redis.exceptions import RedisError

        try:
            beat = {
                keys.text(k): one_line(keys.text(v), LONGEST_WORD)
                for k, v in self._redis.hgetall(keys.heartbeat(worker)).items()
            }
            waiting = self._redis.llen(keys.WAITING)
        except RedisError as error:
            return f"Redis is away ({type(error).__name__}); waiting, nothing is lost"
        if not beat:
            return "loading the model"
        if keys.number(beat.get("done")):
            self._worked = worker
        counts = ("done", "inflight", "width", "tokens_per_s")
        done, inflight, width, rate = (keys.number(beat.get(name)) for name in counts)
        state = beat.get("state", "")
        return (
            f"{worker}: {done:.0f} tasks done, {inflight:.0f} in flight (width {width:.0f}), "
            f"{waiting} waiting, {rate:.0f} tokens/s"
            + ("" if state == "working" else f" ({state})")
        )


def worker_metrics(worker: str, restarts: int, redis: Redis) -> Iterator[MetricValue]:
    """What Prometheus gets of a worker; without Redis only what needs none.

    Args:
        worker: its name.
        restarts: unexpected ends of a worker so far.
    """
    from redis.exceptions import RedisError

    yield MetricValue(
        "worker_restarts_total",
        "unexpected ends of the worker",
        restarts,
        kind="counter",
    )
    try:
        beat = redis.hgetall(keys.heartbeat(worker))
        waiting = redis.llen(keys.WAITING)
    except RedisError:
        yield MetricValue("worker_redis_up", "1 while its Redis answers", 0.0)
        yield MetricValue("worker_up", "1 while the worker beats", 0.0)
        return
    yield MetricValue("worker_redis_up", "1 while its Redis answers", 1.0)
    yield MetricValue("worker_up", "1 while the worker beats", float(bool(beat)))
    yield MetricValue("queue_jobs", "jobs that wait for a worker", waiting)
    for field, name, help_text in (
        (b"width", "worker_width", "requests that it decodes together"),
        (b"inflight", "worker_inflight", "jobs in flight"),
        (b"done", "worker_done", "jobs it has finished since it began"),
        (b"tokens_per_s", "worker_tokens_per_second", "tokens generated, over a minute"),
    ):
        yield MetricValue(name, help_text, keys.number(beat.get(field)))
