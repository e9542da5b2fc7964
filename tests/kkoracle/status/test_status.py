"""How far, how fast, until when, and what is wrong: from real files, a real Redis, real locks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest

from crawler.frontier import pages
from exchange.errors import UserError
from exchange.lock import LIVE_LOCK, FileLock
from exchange.project import Project
from exchange.queue import keys
from exchange.queue.feeder import enqueue
from exchange.queue.redis_endpoint import redis_for
from exchange.records import Result
from exchange.store import history, tasks
from exchange.store.spool import Spool
from kkoracle.live.record import LiveRecord
from kkoracle.status import Status, read_status
from kkoracle.status.console import render_status, to_json
from kkoracle.status.problems import find_problems
from tests.conftest import fill_spool

Maker = Callable[..., Project]
HOUR = 3600.0


@contextmanager
def daemon(project: Project, running_s: float, **said: Any) -> Iterator[None]:
    """The lock and the beacon of a daemon, without what it does."""
    directory = project.archive_dir()
    told: dict[str, Any] = {
        "pid": 1,
        "at": time.time(),
        "fetching": False,
        "rate": 0.0,
        "allowed": 0.0,
        "pause_s": 0.0,
        "hold": "",
        "next_look": 0.0,
        **said,
    }
    with FileLock(directory / "daemon.lock"):
        (directory / "daemon.json").write_bytes(orjson.dumps(told))
        began = time.time() - running_s
        os.utime(directory / "daemon.lock", (began, began))
        yield


def store(spool: Spool, count: int, ago: float, *, failed: str = "") -> None:
    """Close some tasks at a time in the past."""
    claimed = tasks.claim(spool, "paper", count)
    if failed:
        tasks.finish(spool, [Result(task.id, "paper", failed=failed) for task in claimed])
    at = time.time() - ago
    with spool.transaction() as db:
        db.execute("UPDATE tasks SET state='done' WHERE state='queued'")
        db.execute("DELETE FROM history")
        history.record_counters(db, at - 60)
        db.execute("UPDATE history SET counters='{}'")
        history.record_counters(db, at)


def codes(status: Status) -> set[str]:
    return {problem.code for problem in status.problems}


def beat(redis: Any, name: str, **facts: Any) -> None:
    said = {"width": 4, "inflight": 2, "done": 7, "state": "working", "tokens_per_s": 31.5, **facts}
    redis.hset(keys.heartbeat(name), mapping=said)
    redis.zadd(keys.SEEN, {name: time.time()})


# -- exit codes and problems --------------------------------------------------------------------


def test_nothing_crawled_is_told_and_done_is_fine(make_project: Maker) -> None:
    project = make_project()
    with pytest.raises(UserError, match="kkoracle crawl paper"):
        read_status(project, "paper")
    fill_spool(project, 0).close()
    found = read_status(project, "paper")
    assert found.exit_code == 0 and not found.problems and not found.work_left


def test_files_that_cannot_be_read_are_shown_and_need_a_person(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 3).close()
    pages.connect(project.archive_dir()).close()
    for name in ("spool.sqlite", pages.FILE):
        (project.archive_dir() / name).write_bytes(b"no database" * 1000)
    found = read_status(project, "paper")
    assert found.exit_code == 1
    assert [problem.code for problem in found.problems] == ["unreadable"] * 2
    for problem, name in zip(found.problems, (pages.FILE, "spool.sqlite"), strict=True):
        assert name in problem.text and "kkoracle restore" in problem.text


def test_pages_whose_stories_are_not_in_the_spool_are_shown(make_project: Maker) -> None:
    project = make_project()
    connection = pages.connect(project.archive_dir())
    connection.execute(
        "INSERT INTO pages(key, url, kind, priority, state) VALUES ('s:1', '/1', 's', 1, 'done')"
    )
    connection.execute("UPDATE pages SET text='done'")
    connection.close()
    found = read_status(project, "paper")  # there is no spool at all
    assert codes(found) == {"stories-missing"} and found.exit_code == 1
    assert "kkoracle crawl paper" in found.problems[0].text
    fill_spool(project, 0).close()
    assert codes(read_status(project, "paper")) == {"stories-missing"}


def test_work_without_a_daemon_is_stopped(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 3).close()
    found = read_status(project, "paper")
    assert found.exit_code == 3 and codes(found) == {"stopped"}
    assert "`kkoracle crawl paper` goes on" in found.problems[0].text


def test_pages_that_wait_without_a_daemon_are_stopped_too(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 0).close()
    db = pages.connect(project.archive_dir())
    db.execute("INSERT INTO pages(key, url, kind, priority) VALUES ('k', 'u', 'story', 1)")
    db.close()
    assert read_status(project, "paper").exit_code == 3


def test_a_stall_is_named_with_the_worker_that_fell_silent(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, 9)
    store(spool, 4, ago=12 * 60)
    spool.close()
    with redis_for(project) as handle, daemon(project, running_s=2 * HOUR):
        handle.connect().zadd(keys.SEEN, {"m4": time.time() - 13 * 60})
        found = read_status(project, "paper")
    assert found.exit_code == 1 and codes(found) == {"no-worker"}
    (problem,) = found.problems
    assert problem.text.startswith("no chunk for 12 min: worker m4 last seen 13 min ago")


def test_a_worker_that_does_nothing_is_named_with_what_it_holds(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, 9)
    store(spool, 4, ago=20 * 60)
    spool.close()
    with redis_for(project) as handle, daemon(project, running_s=2 * HOUR):
        redis = handle.connect()
        beat(redis, "m4", tokens_per_s=0)
        said = read_status(project, "paper")
        assert codes(said) == {"stalled"}
        assert "worker m4 is working with 2 in flight, 0 tokens/s" in said.problems[0].text
        beat(redis, "m4", state="quiet")
        assert read_status(project, "paper").exit_code == 0  # quiet hours are no stall
        redis.set(keys.CONTROL, "pause")
        paused = read_status(project, "paper")
        assert codes(paused) == {"paused"} and "--resume" in paused.problems[0].text


def test_a_daemon_that_has_just_begun_is_not_blamed_for_the_days_before(
    make_project: Maker,
) -> None:
    project = make_project()
    spool = fill_spool(project, 9)
    store(spool, 4, ago=3 * 24 * HOUR)
    spool.close()
    with redis_for(project), daemon(project, running_s=30):
        assert read_status(project, "paper").exit_code == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"hold": "12 MB of disk free"}, "12 MB of disk free"),
        ({"pause_s": 1800.0}, "the site asks us to wait 30 min"),
        ({}, "wait for their next try"),
    ],
)
def test_a_crawl_that_stands_says_why(
    make_project: Maker, said: dict[str, Any], words: str
) -> None:
    project = make_project()
    fill_spool(project, 0).close()
    db = pages.connect(project.archive_dir())
    db.execute("INSERT INTO pages(key, url, kind, priority) VALUES ('k', 'u', 'story', 1)")
    db.close()
    with redis_for(project), daemon(project, running_s=HOUR, fetching=True, **said):
        found = read_status(project, "paper")
    assert codes(found) == {"pages-stalled"} and words in found.problems[0].text


def test_a_frozen_daemon_a_low_disk_and_an_absent_redis_are_told(make_project: Maker) -> None:
    project = make_project("[crawl]\nmin_free_mb = 999999999\n")
    fill_spool(project, 2).close()
    with daemon(project, running_s=HOUR, at=time.time() - 300):
        found = read_status(project, "paper")
    assert codes(found) == {"daemon-silent", "disk-low", "redis-away"}
    assert "nothing for 5 min" in found.problems[0].text


def test_clocks_that_are_apart_by_more_than_a_lease_are_told(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 2).close()
    with redis_for(project) as handle, daemon(project, running_s=30):
        beat(handle.connect(), "right", clock_ahead_s=20)
        assert read_status(project, "paper").exit_code == 0
        beat(handle.connect(), "wrong", clock_ahead_s=-7200)
        found = read_status(project, "paper")
    assert codes(found) == {"clocks-apart"} and found.exit_code == 1
    assert "worker wrong: 2.0 h behind Redis's" in found.problems[0].text


def test_when_most_tasks_fail_a_person_is_needed(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, 12)
    store(spool, 12, ago=60, failed="poison")
    spool.close()
    found = read_status(project, "paper")
    assert found.exit_code == 1 and codes(found) == {"failing"}
    assert "poison 12" in shown(found)


# -- what is seen --------------------------------------------------------------------------------


def shown(status: Status) -> str:
    from rich.console import Console

    console = Console(width=160)
    with console.capture() as captured:
        console.print(render_status(status))
    return captured.get()


def test_queue_and_workers_are_read_from_redis(make_project: Maker) -> None:
    project = make_project()
    spool = fill_spool(project, 6)
    with (
        redis_for(project) as handle,
        daemon(project, running_s=60, rate=0.4, allowed=1.0, pid=7, fetching=True),
    ):
        redis = handle.connect()
        enqueue(redis, tasks.claim(spool, "paper", 5))
        beat(redis, "one", tokens_per_s=31.5)
        beat(redis, "two", state="stopping")
        time.sleep(1.1)
        found = read_status(project, "paper")
    spool.close()
    assert found.queue.waiting == 5 and 1 <= (found.queue.oldest_s or 0) < 60
    assert [worker.name for worker in found.queue.workers] == ["one", "two"]
    assert found.queue.workers[0].tokens_per_s == 31.5 and found.queue.limit_mb == 512
    text = shown(found)
    assert "0.40 of 1.00 allowed requests/s" in text and "5 jobs waiting" in text
    assert "two: stopping, width 4, 2 in flight, 7 done, 32 tokens/s" in text


def test_a_hostile_heartbeat_changes_nothing_but_its_line(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 1).close()
    with redis_for(project) as handle, daemon(project, running_s=60):
        beat(handle.connect(), "[red]\x1b]2;x\x07", state="\x1b[2J", width="many")
        found = read_status(project, "paper")
    assert found.queue.workers[0].width == 0
    assert "\x1b" not in shown(found) and "\x07" not in shown(found)


def test_everything_is_in_the_json_object(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 4).close()
    run = project.archive_dir() / "runs" / "first"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"settings": {"epochs": 2}}')
    lines = [
        f'{{"step": {n}, "epoch": {n / 50}, "loss": {3 / n}, "seconds": 9.5}}' for n in range(1, 41)
    ]
    lines.insert(30, '{"step": 30, "epoch": 0.6, "valid_loss": 1.25, "bits": 1}')
    lines.append('{"step": 40, "epoch": 0.8, "known": 31, "facts": 90, "learned": 4, "lost": 1}')
    (run / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 41, "ep']))
    found = orjson.loads(to_json(read_status(project, "paper")))
    assert found["exit_code"] == 3 and found["counters"]["tasks.new"] == 4
    assert [stage["name"] for stage in found["stages"]] == ["pages", "text", "tasks"]
    training = found["training"]
    assert (training["run"], training["step"], training["steps"]) == ("first", 40, 100)
    assert training["valid_loss"] == 1.25
    assert (training["known"], training["facts"]) == (31, 90)
    assert "31 of 90 facts known" in shown(read_status(project, "paper"))
    least, middle, most = training["left"]
    assert least < middle < most and middle == pytest.approx(60 * 9.5)


def test_the_last_morning_and_the_next_one_are_one_line(make_project: Maker) -> None:
    project = make_project()
    fill_spool(project, 4).close()
    archive_dir = project.archive_dir()
    assert read_status(project, "paper").live is None
    with closing(LiveRecord.open(archive_dir)) as record:
        record.add(1, "begun", pairs=0)
        record.add(1, "judged", passed=False, reason="3 stories are too few to be sure of it")
        record.add(1, "ended")
    found = read_status(project, "paper")
    assert found.live and (found.live.outcome, found.live.new_pairs) == ("kept", 0)
    assert "live-stopped" not in codes(found)
    line = shown(found)
    assert "not running; morning 1" in line and "kept: 3 stories are too few" in line
    assert "no run answers; 0 new pairs, the next begins with 500" in line
    waiting = replace(found, live=replace(found.live, new_pairs=500))
    assert "live-stopped" in {problem.code for problem in find_problems(waiting)}
    with FileLock(archive_dir / LIVE_LOCK):
        live = read_status(project, "paper").live
        assert live and live.running
