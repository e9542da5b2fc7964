"""Several archives in one queue: each has its share of the places, and so of the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import orjson
from redis import Redis

from exchange.project import Project
from exchange.queue import keys
from exchange.queue.announce import announce, announced_models, announced_shares
from exchange.queue.feeder import FEWEST, HIGH, LOW, Feeder, make_queue
from exchange.queue.redis_endpoint import redis_for
from exchange.store import tasks
from exchange.store.spool import Spool
from tests.conftest import fill_spool

STEP = 100  # tasks that workers take between two rounds of the feeders
COUNT = 3000  # tasks of an archive


def done_by_workers(redis: Redis, spools: dict[str, Spool], shares: dict[str, float]) -> list[str]:
    """Whose tasks workers take, in order, until the first archive has none left to queue."""
    feeders = {name: Feeder(spool, name, shares[name]) for name, spool in spools.items()}
    queue = make_queue(redis)
    taken: list[str] = []
    while all(spool.counters().get("tasks.new") for spool in spools.values()):
        for feeder in feeders.values():
            while feeder.feed(redis):
                pass
        waiting = redis.llen(queue.key)
        assert waiting <= HIGH + len(spools) * 2 * FEWEST
        for _ in range(STEP):
            task_id = redis.lpop(queue.key).decode()
            archive = orjson.loads(redis.get(find(redis, spools, task_id)))["archive"]
            taken.append(archive)
            spools[archive].db.execute("UPDATE tasks SET state='done' WHERE id=?", (task_id,))
    return taken


def find(redis: Redis, spools: dict[str, Spool], task_id: str) -> str:
    return next(key for name in spools if redis.exists(key := keys.task(name, task_id)))


def test_workers_serve_each_archive_by_its_share(make_project: Callable[..., Project]) -> None:
    project = make_project()
    shares = {"one": 1.0, "two": 2.0, "three": 1.0}
    spools = {name: fill_spool(project, COUNT, archive=name) for name in shares}
    for spool in spools.values():
        spool.db.execute("PRAGMA synchronous=OFF")
    with redis_for(project) as handle:
        redis = handle.connect()
        for name, share in shares.items():
            announce(redis, name, project.recipe(), 30, share)
        assert announced_shares(redis) == shares
        assert announced_models(redis).keys() == shares.keys()  # what else is said stays readable
        taken = done_by_workers(redis, spools, shares)
        redis.close()
    # The first round fills the queue; after that every stretch of it holds the shares.
    counted = Counter(taken)
    whole = sum(counted.values())
    assert whole > 4000
    for name, share in shares.items():
        assert abs(counted[name] / whole - share / 4) < 0.06, counted
    for spool in spools.values():
        spool.close()


def test_an_archive_alone_has_all_of_the_queue(make_project: Callable[..., Project]) -> None:
    project = make_project()
    spool = fill_spool(project, HIGH + 100)
    with redis_for(project) as handle:
        redis = handle.connect()
        redis.sadd(keys.ARCHIVES, "gone", "odd", "\x1b[2J")
        redis.set(keys.recipe("odd"), b'{"share": "many"}')
        feeder = Feeder(spool, "paper")
        while feeder.feed(redis):
            pass
        assert len(tasks.queued_ids(spool)) == HIGH
        assert feeder._marks(redis) == (LOW, HIGH)
        redis.set(keys.recipe("odd"), b'{"share": 3}')
        assert feeder._marks(redis) == (LOW // 4, HIGH // 4)
        redis.close()
    spool.close()
