"""What an operator sees while a worker runs: one live line on a terminal, else one every 10 s."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exchange import keys

if TYPE_CHECKING:
    from redis import Redis

LOOK_S, PLAIN_S = 1.0, 10.0


class Progress:
    """Reads the worker's heartbeat from Redis and shows it."""

    def __init__(self, redis: Redis) -> None:
        from rich.console import Console

        self._redis = redis
        self._console = Console(stderr=True)
        self._live = self._console.status("starting the worker") if sys.stderr.isatty() else None
        self._look = time.monotonic() + LOOK_S
        self._tell = time.monotonic() + PLAIN_S
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
        if moment < self._look:
            return
        self._look = moment + LOOK_S
        line = self._line(worker)
        if self._live:
            self._live.update(line)
        elif moment >= self._tell and line != self._last:
            self._tell = moment + PLAIN_S
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
        return any(int(count or 0) for count in counts)

    def _line(self, worker: str) -> str:
        from redis.exceptions import RedisError

        try:
            beat = {
                k.decode(): v.decode()
                for k, v in self._redis.hgetall(keys.heartbeat(worker)).items()
            }
            waiting = self._redis.llen(f"rq:queue:{keys.QUEUE}")
        except RedisError as error:
            return f"Redis is away ({type(error).__name__}); waiting, nothing is lost"
        if not beat:
            return "loading the model"
        if int(beat["done"]):
            self._worked = worker
        rate, state = float(beat["tokens_per_s"]), beat["state"]
        return (
            f"{worker}: {beat['done']} tasks done, {beat['inflight']} in flight (width "
            f"{beat['width']}), {waiting} waiting, {rate:.0f} tokens/s"
            + ("" if state == "working" else f" ({state})")
        )
