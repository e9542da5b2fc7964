"""One spool has an archive's name on a Redis: a second is refused, the first never."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from redis import Redis

from exchange.errors import UsageError
from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.queue.announce import announced_languages, announced_models, claim_archive
from exchange.queue.feeder import Feeder
from exchange.store.spool import Spool
from tests.conftest import fill_spool, processes, run_cli, until, write_project
from tests.exchange.queue.test_redis_client import NO_PLAN
from tests.servers import OwnServer
from tests.workers.endpoint import Endpoint

EXTRA = 'engine = "openai"\n' + NO_PLAN


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    found = OwnServer(tmp_path / "server")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def make(tmp_path: Path, tiny_model: Path) -> Callable[[str], Project]:
    """A data folder of its own with ten open tasks of `paper`."""

    def made(name: str) -> Project:
        (tmp_path / name).mkdir()
        project = write_project(tmp_path / name, tiny_model, EXTRA)
        fill_spool(project, 10).close()
        return project

    return made


def done(folder: Path) -> int:
    spool = Spool.read(folder / "data" / "paper")
    try:
        return spool.counters().get("tasks.done", 0)
    finally:
        spool.close()


def test_a_second_data_folder_of_one_name_is_refused_and_the_first_goes_on(
    server: OwnServer, make: Callable[[str], Project], tmp_path: Path
) -> None:
    first, second = (make(name).data.parent for name in ("first", "second"))
    with Endpoint(delay=0.3) as endpoint, processes() as popen:
        here = {"KKORACLE_REDIS_URL": server.url, "KKORACLE_WORK_URL": endpoint.url}
        daemon = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=first, **here)
        redis = server.client()
        until(lambda: bool(redis.hexists(keys.SPOOLS, "paper")), 60, daemon)
        refused = run_cli("crawl", "--no-fetch", cwd=second, timeout=30, **here)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr
        (line,) = [one for one in refused.stderr.splitlines() if "another data folder" in one]
        assert "--forget paper" in line
        kept = run_cli("redis", "--forget", "paper", cwd=second, timeout=30, **here)
        assert kept.returncode == 2 and "alive" in kept.stderr
        daemon.kill()  # and after a kill, with what it had queued
        assert run_cli("crawl", "--no-fetch", cwd=second, timeout=30, **here).returncode == 2
        redis.flushall()  # lost and rebuilt, and the folder moved
        moved = shutil.move(first, tmp_path / "moved")
        daemon = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=moved, **here)
        popen("-m", "kkoracle", "work", cwd=moved, **here)
        assert daemon.wait(60) == 0, daemon.stdout and daemon.stdout.read()
        assert done(moved) == 10 and done(second) == 0
        assert run_cli("crawl", "--no-fetch", cwd=moved, timeout=30, **here).returncode == 0


def test_a_name_is_free_when_its_spool_is_silent_and_has_left_nothing(
    server: OwnServer, make: Callable[[str], Project]
) -> None:
    redis = server.client()
    claim_archive(redis, "paper", "one")
    claim_archive(redis, "paper", "one")
    claim_archive(redis, "other", "two")
    for left in (keys.recipe("paper"), keys.task("paper", "a" * 24)):
        redis.set(left, "{}")
        with pytest.raises(UsageError, match="another data folder"):
            claim_archive(redis, "paper", "two")
        redis.delete(left)
    redis.hset(keys.result("paper"), "a" * 24, "{}")
    with pytest.raises(UsageError, match="another data folder"):
        claim_archive(redis, "paper", "two")
    redis.delete(keys.result("paper"))
    claim_archive(redis, "paper", "two")
    with pytest.raises(UsageError, match="another data folder"):
        redis.set(keys.recipe("paper"), "{}")
        claim_archive(redis, "paper", "one")


def test_no_archive_has_a_name_whose_inputs_a_worker_may_write(server: OwnServer) -> None:
    writable = [key for key in redis_access.acl_rights().split() if key.startswith("~kk:")]
    for name in ("paper", *keys.RESERVED):
        task = keys.task(name, "a" * 24)
        assert any(fnmatch(task, key[1:]) for key in writable) == (name in keys.RESERVED)
    for name in keys.RESERVED:
        with pytest.raises(UsageError, match="another name"):
            claim_archive(server.client(), name, "one")


def test_what_a_lost_data_folder_left_behind_is_forgotten_when_told_to(
    server: OwnServer, make: Callable[[str], Project]
) -> None:
    lost, project = make("lost"), make("new")
    redis = server.client()
    spool = Spool.open(lost.archive_dir())
    claim_archive(redis, "paper", spool.identity())
    assert Feeder(spool, "paper").feed(redis) == 10
    redis.hset(keys.result("paper"), "a" * 24, "{}")
    assert spool.identity() == spool.identity() != ""
    spool.close()
    folder = project.data.parent
    told = run_cli("redis", "--forget", "paper", cwd=folder, KKORACLE_REDIS_URL=server.url)
    assert told.returncode == 0 and "10 tasks and 1 results" in told.stdout
    assert not redis.llen("rq:queue:generate")
    fresh = Spool.open(project.archive_dir())
    claim_archive(redis, "paper", fresh.identity())
    fresh.close()


def test_what_no_daemon_can_have_announced_is_not_heeded(server: OwnServer) -> None:
    redis: Redis = server.client()
    said = {
        "paper": b'{"model": "a/model", "language": "el"}',
        "escape": b'{"model": "\\u001b[2J", "language": "../../x"}',
        "deep": b'{"model":' * 5000,
        "list": b"[]",
        "number": b'{"model": 1, "language": {}}',
        "Not A Name\x1b": b'{"model": "b/model", "language": "en"}',
    }
    for archive, announced in said.items():
        redis.sadd(keys.ARCHIVES, archive)
        redis.set(keys.recipe(archive), announced)
    redis.sadd(keys.ARCHIVES, b"\xff")
    assert announced_models(redis) == {"paper": "a/model"}
    assert announced_languages(redis) == {"paper": "el"}
