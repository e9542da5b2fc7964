"""Pause, resume and quiet hours: no new work, what is in flight ends, status says so."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import datetime, time, timedelta

import orjson
import pytest

from tests.conftest import run_cli
from tests.workers.conftest import Shop
from workers.settings import is_quiet

Open = Callable[..., object]


def states(shop: Shop) -> set[str]:
    said = run_cli("status", "--json", cwd=shop.folder)
    return {facts["state"] for facts in orjson.loads(said.stdout)["queue"]["workers"]}


def test_paused_from_the_command_line_and_resumed(open_shop: Open) -> None:
    with open_shop(60, delay=1.0) as shop:
        shop.start_worker()
        shop.until(lambda: shop.asked() >= 4)
        assert "--resume" in run_cli("work", "--pause", cwd=shop.folder).stdout
        shop.until(lambda: states(shop) == {"paused"})
        shop.until(lambda: shop.redis.zcard("rq:wip:generate") == 0)  # what was in flight ended
        asked = shop.asked()
        clock.sleep(1)
        assert shop.asked() == asked < 60
        shop.endpoint.delay = 0.0
        assert run_cli("work", "--resume", cwd=shop.folder).returncode == 0
        assert shop.until_done()["tasks.done"] == 60
        assert set(shop.endpoint.asked.values()) == {1}
        shop.until(lambda: states(shop) == {"working"})


def test_in_quiet_hours_a_worker_takes_nothing_and_says_so(open_shop: Open) -> None:
    now = datetime.now()
    hours = "-".join(f"{now + timedelta(hours=h):%H:%M}" for h in (-1, 1))
    with open_shop(4) as shop:
        shop.until(lambda: shop.counters().get("tasks.queued") == 4)
        shop.start_worker(KKORACLE_WORK_QUIET=hours)
        shop.until(lambda: states(shop) == {"quiet"})
        clock.sleep(1)
        assert shop.asked() == 0 and shop.redis.llen("rq:queue:generate") == 4


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


def test_hours_that_are_none_are_one_line(open_shop: Open) -> None:
    with open_shop(0) as shop:
        said = run_cli("work", "--burst", cwd=shop.folder, KKORACLE_WORK_QUIET="23-7")
    assert said.returncode == 2 and "work.quiet" in said.stderr and "Traceback" not in said.stderr
