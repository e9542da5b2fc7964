"""Clocks that lie, and machines that sleep, while tasks are generated."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from bench.faults.clock import HOUR_S, SettableClock
from exchange.project import Project
from exchange.queue.redis_clock import RedisClock, find_skew, skew_text
from exchange.queue.redis_endpoint import redis_for
from tests.conftest import run_cli, settable_clocks
from workers.queue.maintenance import LONGEST_LEASE_S, open_queue

Open = Callable[..., object]
TASKS = 30
LEASE_S = 4  # of `make_project`


@settable_clocks
@pytest.mark.parametrize("hours", [3, -3])
def test_a_machine_whose_clock_is_hours_off_takes_nobodys_tasks_and_says_so(
    open_pipeline: Open, tmp_path: Path, hours: int
) -> None:
    """Before, whoever was ahead took away what the others were at, again and again."""
    clock = SettableClock(tmp_path, "clock")
    clock.set_ahead(hours * HOUR_S)
    with open_pipeline(TASKS, delay=2.5) as pipeline:
        right = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 4)
        wrong = pipeline.start_worker(**clock.environment(os.environ.get("LD_PRELOAD", "")))
        assert pipeline.until_done()["tasks.done"] == TASKS
        assert set(pipeline.endpoint.asked.values()) == {1}
        wrong.terminate()
        right.terminate()
        way = "ahead of" if hours > 0 else "behind"
        assert wrong.stdout is not None and f"3.0 h {way} Redis's" in wrong.stdout.read()
        assert right.stdout is not None and "Redis's" not in right.stdout.read()


@pytest.fixture
def machine_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettableClock:
    """Of all processes that are started from now on, Redis among them."""
    clock = SettableClock(tmp_path, "clock")
    for name, value in clock.environment(os.environ.get("LD_PRELOAD", "")).items():
        monkeypatch.setenv(name, value)
    return clock


@settable_clocks
def test_a_clock_set_ahead_ends_no_lease_of_the_living(
    machine_clock: SettableClock, open_pipeline: Open
) -> None:
    """Before, all leases ended at once, and everything in flight ran again."""
    with open_pipeline(TASKS, delay=1.5) as pipeline:
        before = pipeline.redis.time()[0]
        for _ in range(2):
            pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 12)
        machine_clock.set_ahead(11 * HOUR_S)
        assert pipeline.redis.time()[0] - before > 10 * HOUR_S
        assert pipeline.until_done()["tasks.done"] == TASKS
        assert set(pipeline.endpoint.asked.values()) == {1}


@settable_clocks
def test_a_clock_set_back_ends_the_leases_of_the_dead_all_the_same(
    machine_clock: SettableClock, open_pipeline: Open
) -> None:
    """Before, what a killed worker held waited for as long as the clock was set back."""
    with open_pipeline(TASKS, delay=0.5) as pipeline:
        killed, _ = (pipeline.start_worker() for _ in range(2))
        pipeline.until(lambda: pipeline.requests() >= 10)
        killed.kill()
        machine_clock.set_ahead(-11 * HOUR_S)
        assert pipeline.until_done(40)["tasks.done"] == TASKS


def test_a_machine_that_sleeps_beyond_the_lease_doubles_nothing(open_pipeline: Open) -> None:
    with open_pipeline(TASKS, delay=0.5) as pipeline:
        workers = [pipeline.start_worker() for _ in range(2)]
        pipeline.until(lambda: pipeline.requests() >= 10)
        asleep = [*(worker.pid for worker in workers), redis_pid(pipeline.redis)]
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(LEASE_S + 2)
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == TASKS
        assert set(pipeline.endpoint.asked.values()) == {1}


def test_a_lease_that_ends_in_a_far_future_is_cut_short(
    make_project: Callable[..., Project],
) -> None:
    with redis_for(make_project()) as handle:
        redis = handle.connect()
        leases = open_queue(redis, LEASE_S).started_job_registry
        moment = RedisClock(redis).now()
        near = moment + LONGEST_LEASE_S - 1
        redis.zadd(leases.key, {"a:1": moment + 2 * HOUR_S, "b:2": near})
        leases.shorten()
        assert redis.zscore(leases.key, "b:2") == near
        assert moment < redis.zscore(leases.key, "a:1") <= moment + LEASE_S + 5


def test_a_lock_of_maintenance_that_ends_in_a_far_future_is_cut_short(
    make_project: Callable[..., Project],
) -> None:
    with redis_for(make_project()) as handle:
        redis = handle.connect()
        queue = open_queue(redis, LEASE_S)
        redis.set(queue.registry_cleaning_key, "1", ex=7200)
        assert not queue.acquire_maintenance_lock()
        assert redis.ttl(queue.registry_cleaning_key) <= LEASE_S // 2


def test_a_jump_is_told_from_time_that_passed(make_project: Callable[..., Project]) -> None:
    with redis_for(make_project()) as handle:
        slept = 0.0
        clock = RedisClock(handle.connect(), passed=lambda: time.monotonic() - slept)
        assert clock.look() == 0
        time.sleep(0.2)
        assert abs(clock.look()) < 0.1
        slept = 500.0
        assert 499 < clock.look() < 501
        assert abs(clock.now() - time.time()) < 1 and abs(clock.skew()) < 1
    assert skew_text(-7200) == "2.0 h behind Redis's"


def redis_pid(redis: Redis) -> int:
    return int(redis.info("server")["process_id"])


@settable_clocks
def test_doctor_names_a_clock_that_is_not_that_of_the_redis_given(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project()
    clock = SettableClock(tmp_path, "clock")
    clock.set_ahead(-2 * HOUR_S)
    with redis_for(project) as handle:
        right = find_skew(handle.url)
        said = run_cli(
            "doctor",
            cwd=project.data.parent,
            KKORACLE_REDIS_URL=handle.url,
            **clock.environment(os.environ.get("LD_PRELOAD", "")),
        )
    assert right == ""
    assert "this machine's clock is 2.0 h behind Redis's: set the clocks (NTP)" in said.stdout
