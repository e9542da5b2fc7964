"""The range in which a stage will end."""

from __future__ import annotations

import random

import pytest

from kkoracle.status.eta import LEAST_S, eta

HOUR = 3600.0


def even(hours: int, rate: float, *, first: float = 0.0, done: float = 0.0):
    """A sample each hour at a steady rate an hour."""
    return [(first + n * HOUR, done + n * rate) for n in range(hours + 1)]


def test_an_even_run_ends_when_its_rate_says_and_the_range_is_narrow() -> None:
    low, middle, high = eta(even(40, 10), 800, 40 * HOUR) or (0, 0, 0)
    assert middle == pytest.approx(40 * HOUR)
    assert 0.75 * middle < low < middle < high < 1.25 * middle


def test_what_is_done_is_done_and_what_never_moved_never_ends() -> None:
    assert eta(even(5, 10), 50, 5 * HOUR) == (0.0, 0.0, 0.0)
    assert eta(even(5, 0), 50, 5 * HOUR) is None
    assert eta([], 50, 0.0) is None
    assert eta([(0.0, 0.0), (1.0, 9.0), (LEAST_S - 1, 10.0)], 50, LEAST_S - 1) is None


def test_a_run_that_stops_each_night_gets_a_wider_range_than_an_even_one() -> None:
    done, nights = 0.0, [(0.0, 0.0)]
    for hour in range(24 * 6):
        done += 15 if hour % 24 >= 8 else 0
        nights.append(((hour + 1) * HOUR, done))
    calm = eta(even(24 * 6, 10), 1920, 24 * 6 * HOUR)
    stopped = eta(nights, 1920, 24 * 6 * HOUR)
    assert calm and stopped
    assert stopped[2] - stopped[0] > 1.1 * (calm[2] - calm[0])
    assert stopped[0] < 480 / 10 * HOUR < stopped[2]


def test_after_a_second_worker_joins_the_middle_follows_it() -> None:
    samples = even(80, 10) + even(12, 20, first=81 * HOUR, done=820)
    low, middle, _ = eta(samples, 5000, samples[-1][0]) or (0, 0, 0)
    left = 5000 - samples[-1][1]
    assert left / 20 * HOUR <= middle < left / 12 * HOUR
    assert low < left / 20 * HOUR


def test_standing_still_since_makes_the_end_later() -> None:
    samples = even(20, 10)
    soon, late = eta(samples, 400, 20 * HOUR), eta(samples, 400, 28 * HOUR)
    assert soon and late and late[1] > 1.2 * soon[1] and late[2] > 1.5 * soon[2]


def test_counts_that_fall_back_are_no_work_undone() -> None:
    samples = [*even(10, 10), (10.5 * HOUR, 60.0), *even(9, 10, first=11 * HOUR, done=70)]
    assert eta(samples, 400, samples[-1][0])


def test_any_history_gives_an_ordered_range_of_finite_numbers() -> None:
    drawn = random.Random(5)
    for _ in range(300):
        at = done = 0.0
        samples = []
        for _ in range(drawn.randint(1, 60)):
            at += drawn.expovariate(1 / 600)
            done += drawn.choice((0, 0, 1, 1e-9, 1e6)) * drawn.random()
            samples.append((at, done))
        found = eta(samples, done + drawn.choice((0, 1e-9, 1, 1e9)), at + drawn.random())
        assert found is None or 0 <= found[0] <= found[1] <= found[2] < float("inf")
