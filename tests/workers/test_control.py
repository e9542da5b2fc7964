"""Pause, resume and quiet hours: no new work, what is in flight ends, status says so."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import datetime, time, timedelta

import orjson
import pytest

from tests.conftest import run_cli
from tests.workers.conftest import Pipeline
from workers.settings import is_quiet

Open = Callable[..., object]


def states(pipeline: Pipeline) -> set[str]:
    said = run_cli("status", "--json", cwd=pipeline.folder)
    return {facts["state"] for facts in orjson.loads(said.stdout)["queue"]["workers"]}


def test_paused_from_the_command_line_and_resumed(open_pipeline: Open) -> None:
    with open_pipeline(60, delay=1.0) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 4)
        assert "--resume" in run_cli("work", "--pause", cwd=pipeline.folder).stdout
        pipeline.until(lambda: states(pipeline) == {"paused"})
        pipeline.until(
            lambda: pipeline.redis.zcard("rq:wip:generate") == 0
        )  # what was in flight ended
        asked = pipeline.requests()
        clock.sleep(1)
        assert pipeline.requests() == asked < 60
        pipeline.endpoint.delay = 0.0
        assert run_cli("work", "--resume", cwd=pipeline.folder).returncode == 0
        assert pipeline.until_done()["tasks.done"] == 60
        assert set(pipeline.endpoint.asked.values()) == {1}
        pipeline.until(lambda: states(pipeline) == {"working"})


def test_in_quiet_hours_a_worker_takes_nothing_and_says_so(open_pipeline: Open) -> None:
    now = datetime.now()
    hours = "-".join(f"{now + timedelta(hours=h):%H:%M}" for h in (-1, 1))
    with open_pipeline(4) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 4)
        pipeline.start_worker(KKORACLE_WORK_QUIET=hours)
        pipeline.until(lambda: states(pipeline) == {"quiet"})
        clock.sleep(1)
        assert pipeline.requests() == 0 and pipeline.redis.llen("rq:queue:generate") == 4


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        ("", "03:00", False),
        ("23:00-07:00", "22:59", False),
        ("23:00-07:00", "23:00", True),
        ("23:00-07:00", "03:00", True),
        ("23:00-07:00", "07:00", False),
        ("13:30-15:00", "13:29", False),
        ("13:30-15:00", "14:59", True),
        ("13:30-15:00", "15:00", False),
    ],
)
def test_quiet_hours_may_cross_midnight(hours: str, moment: str, expected: bool) -> None:
    assert is_quiet(hours, time.fromisoformat(moment)) is expected


def test_hours_that_are_none_are_one_line(open_pipeline: Open) -> None:
    with open_pipeline(0) as pipeline:
        said = run_cli("work", "--burst", cwd=pipeline.folder, KKORACLE_WORK_QUIET="23-7")
    assert said.returncode == 2 and "work.quiet" in said.stderr and "Traceback" not in said.stderr
