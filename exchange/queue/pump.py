"""The daemon's other half: feed, collect and reconcile, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.errors import RedisUnfit
from exchange.planning.planner import Planner, retire_tasks
from exchange.queue.announce import announce, claim_archive, require_one_model
from exchange.queue.collector import Collector
from exchange.queue.feeder import Feeder
from exchange.queue.reconcile import delete_unwanted_inputs, reconcile
from exchange.queue.redis_client import lasting
from exchange.recipes.recipe import Recipe
from exchange.signals import BackgroundThread
from exchange.store.requests import answer_requests
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

IDLE_ROUND_S = (
    0.1  # between two rounds that find little to do: every round that moves something syncs
)
FULL_ROUND = 256  # moved in one round: more is surely waiting
REDIS_AWAY_S = 1.0  # between two tries while Redis is away


class QueuePump(BackgroundThread):
    """Moves tasks and results between the spool and Redis until it is stopped.

    Redis may come and go; only an error of the spool (a full disk, a damaged file), a Redis that
    can never do, another archive that wants another model of it, or another spool of this name,
    ends the thread, and is found in `error`.
    """

    def __init__(
        self,
        directory: Path,
        archive: str,
        recipe: Recipe,
        connect: Callable[[], Redis],
        *,
        reconcile_s: float = 30.0,
        planner: Planner | None = None,
        share: float = 1.0,
    ) -> None:
        super().__init__("flow")
        self.directory = directory
        self.archive = archive
        self.recipe = recipe
        self.reconcile_s = reconcile_s
        self._connect = connect
        self._planner = planner
        self._share = share

    def is_idle(self, counters: Mapping[str, int]) -> bool:
        """True when nothing more is to be planned from what these counters count."""
        return self._planner is None or self._planner.is_idle(counters)

    def work(self) -> None:
        """See `BackgroundThread.work`."""
        spool = Spool.open(self.directory)
        try:
            self._rounds(spool)
        finally:
            spool.close()

    def _rounds(self, spool: Spool) -> None:
        from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

        redis = self._connect()
        feeder, collector = Feeder(spool, self.archive, self._share), Collector(spool, self.archive)
        identity = spool.identity()
        next_pass = 0.0
        is_away = is_cleaned = False
        try:
            while not self.stopping.is_set():
                moved = 0
                try:
                    if time.monotonic() >= next_pass:
                        claim_archive(redis, self.archive, identity)
                        if not is_cleaned:
                            require_one_model(redis, self.archive, self.recipe)
                            retire_tasks(spool, self.recipe)
                            delete_unwanted_inputs(redis, spool, self.archive)
                            is_cleaned = True
                        announce(redis, self.archive, self.recipe, self.reconcile_s, self._share)
                        reopened = reconcile(redis, spool, self.archive)
                        if reopened:
                            log.warning(
                                "%d tasks were lost in Redis and are queued again", reopened
                            )
                        next_pass = time.monotonic() + self.reconcile_s
                    if answer_requests(spool, self.directory):
                        # What a batch has answered by now no worker need do.
                        delete_unwanted_inputs(redis, spool, self.archive)
                    if self._planner is not None:
                        self._planner.run(spool)
                    moved = collector.collect(redis) + feeder.feed(redis)
                    if is_away:
                        log.warning("Redis is back")
                    is_away = False
                except OutOfMemoryError:
                    log.warning("Redis is full: waiting until there is room")
                    self.stopping.wait(REDIS_AWAY_S)
                except RedisError as error:
                    if not isinstance(error, ReadOnlyError) and (said := lasting(error)):
                        raise RedisUnfit(f"Redis {said}") from None
                    # A server that became a replica may become one that writes again.
                    if not is_away:
                        log.warning(
                            "Redis is away (%s): nothing is lost, waiting", type(error).__name__
                        )
                    is_away = True
                    self.stopping.wait(REDIS_AWAY_S)
                    redis.close()
                    redis = self._connect()
                if moved < FULL_ROUND:
                    self.stopping.wait(IDLE_ROUND_S)
        finally:
            redis.close()
