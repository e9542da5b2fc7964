"""How fast each stage goes and until when, from counters and what they were."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.store.history import CounterSample
from kkoracle.status import stages

HOUR = 3600.0


def past(hours: int, now: float, **rates: float) -> list[CounterSample]:
    """An hourly sample of counters that grow by so much an hour, up to now."""
    return [
        CounterSample(
            now - (hours - n) * HOUR, {name: round(n * rate) for name, rate in rates.items()}
        )
        for n in range(hours + 1)
    ]


def test_rates_are_of_the_last_quarter_and_of_the_last_day() -> None:
    now = 1e9
    samples = past(48, now, **{"tasks.done": 100, "pairs.accepted": 250, "pairs.rejected": 50})
    faster = CounterSample(
        now + HOUR, {"tasks.done": 5200, "pairs.accepted": 13000, "pairs.rejected": 2400}
    )
    found = stages.pair_progress(faster.counters, [*samples, faster], now + HOUR)
    assert found.hour == pytest.approx(1000) and found.day == pytest.approx((1000 + 23 * 250) / 24)
    assert found.kept == pytest.approx(13000 / 15400)
    late = stages.pair_progress(faster.counters, [*samples, faster], now + 30 * HOUR)
    assert late.hour == late.day == 0 and late.kept_day is None


def of(name: str, pages: list[CounterSample], spool: list[CounterSample], now: float) -> Any:
    found = stages.stage_progress(pages[-1].counters, pages, spool[-1].counters, spool, now)
    return next(stage for stage in found if stage.name == name)


def test_tasks_of_pages_yet_to_come_are_counted_in() -> None:
    now = 1e9
    fetched = past(48, now, **{"pages.done": 100})
    for sample in fetched:
        sample.counters["pages.waiting"] = 9600 - sample.counters["pages.done"]
    made = past(48, now, **{"tasks.done": 200, "tasks.new": 0})
    tasks_stage = of("tasks", fetched, made, now)
    assert tasks_stage.total == 9600 and tasks_stage.open == 0
    assert tasks_stage.left is not None
    assert tasks_stage.left[1] == pytest.approx(48 * HOUR, rel=0.05)  # as long as the pages take
    assert of("pages", fetched, made, now).left[1] == pytest.approx(48 * HOUR, rel=0.01)


def test_a_crawl_that_finds_more_than_it_fetches_has_no_end_yet() -> None:
    now = 1e9
    growing = past(24, now, **{"pages.done": 100, "pages.waiting": 150})
    made = past(24, now, **{"tasks.done": 10})
    assert of("pages", growing, made, now).note == "more pages are found than fetched"
    assert of("tasks", growing, made, now).left is None
    slower = past(24, now, **{"pages.done": 100})
    for sample in slower:  # each page done leads to half a new one
        sample.counters["pages.waiting"] = 1800 - sample.counters["pages.done"] // 2
    least, middle, most = of("pages", slower, made, now).left
    assert least < 6 * HOUR < middle < 12 * HOUR < most


def test_a_crawl_that_learned_of_each_page_as_it_fetched_it_has_ended() -> None:
    now = 1e9
    followed, made = past(24, now, **{"pages.done": 100}), past(24, now, **{"tasks.done": 10})
    assert of("pages", followed, made, now).left == (0, 0, 0)
