"""The daemon's other half: feed, collect and reconcile, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from exchange import keys
from exchange.collector import collect
from exchange.feeder import Feeder
from exchange.house import Recipe
from exchange.reconcile import reconcile, sweep
from exchange.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

IDLE_S = 0.2
AWAY_S = 1.0  # between two tries while Redis is away


class Flow:
    """Moves tasks and results between the spool and Redis until it is stopped.

    Redis may come and go; only an error of the spool (a full disk, a damaged file) ends the
    thread, and is then found in `error`.
    """

    def __init__(
        self,
        directory: Path,
        archive: str,
        recipe: Recipe,
        connect: Callable[[], Redis],
        *,
        reconcile_s: float = 30.0,
    ) -> None:
        self.directory = directory
        self.archive = archive
        self.recipe = recipe
        self.reconcile_s = reconcile_s
        self.error: BaseException | None = None
        self._connect = connect
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand and end. Harmless when it never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            spool = Spool.open(self.directory)
            try:
                self._rounds(spool)
            finally:
                spool.close()
        except BaseException as error:
            self.error = error

    def _rounds(self, spool: Spool) -> None:
        from redis.exceptions import OutOfMemoryError, RedisError

        redis = self._connect()
        feeder = Feeder(spool, self.archive)
        next_pass = 0.0
        away = swept = False
        while not self._stop.is_set():
            moved = 0
            try:
                if not swept:
                    sweep(redis, spool, self.archive)
                    swept = True
                if time.monotonic() >= next_pass:
                    self._announce(redis)
                    reopened = reconcile(redis, spool, self.archive)
                    if reopened:
                        log.warning("%d tasks were lost in Redis and are queued again", reopened)
                    next_pass = time.monotonic() + self.reconcile_s
                moved = collect(redis, spool, self.archive) + feeder.feed(redis)
                if away:
                    log.warning("Redis is back")
                away = False
            except OutOfMemoryError:
                log.warning("Redis is full: waiting until there is room")
                self._stop.wait(AWAY_S)
            except RedisError as error:
                if not away:
                    log.warning(
                        "Redis is away (%s): nothing is lost, waiting", type(error).__name__
                    )
                away = True
                self._stop.wait(AWAY_S)
                redis.close()
                redis = self._connect()
            if not moved:
                self._stop.wait(IDLE_S)
        redis.close()

    def _announce(self, redis: Redis) -> None:
        """Say which recipe this archive wants, so that a worker of another one refuses to start."""
        redis.set(keys.recipe(self.archive), orjson.dumps(asdict(self.recipe)))
