"""Intervals that hold what they promise, seen on simulated stories."""

from __future__ import annotations

import math
import random
import statistics as plain

import pytest

from bench.statistics import Estimate, clustered, difference, t_quantile

DRAWS = 400


def stories(rng: random.Random, count: int, mean: float) -> tuple[list[float], list[str]]:
    """Stories of two to six questions that share most of their luck."""
    values, clusters = [], []
    for number in range(count):
        luck = rng.gauss(mean, 1)
        for _ in range(rng.randint(2, 6)):
            values.append(luck + rng.gauss(0, 0.5))
            clusters.append(str(number))
    return values, clusters


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062047), (2, 4.3026527), (10, 2.2281389), (63, 1.9983405),
     (1e6, 1.9599664)],
)  # fmt: skip
def test_students_t_is_that_of_the_tables(freedom: float, expected: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(expected, rel=1e-4)


def test_one_value_a_cluster_gives_the_textbook_standard_error() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 3.0]
    found = clustered(values, [str(n) for n in range(6)])
    assert found.mean == pytest.approx(1.0)
    assert found.error == pytest.approx(plain.stdev(values) / math.sqrt(6))
    assert found.freedom == 5


def test_a_question_asked_twice_teaches_nothing_new() -> None:
    values, clusters = [0.0, 1.0, 1.0, 0.0, 1.0], list("abcde")
    once, twice = clustered(values, clusters), clustered(values * 2, clusters * 2)
    assert twice.error == pytest.approx(once.error) and twice.mean == pytest.approx(once.mean)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(3)
    hits = naive = 0
    for _ in range(DRAWS):
        values, clusters = stories(rng, 30, 0.3)
        found = clustered(values, clusters)
        hits += found.low <= 0.3 <= found.high
        alone = 1.96 * plain.stdev(values) / math.sqrt(len(values))
        naive += abs(plain.fmean(values) - 0.3) <= alone
    assert 0.92 <= hits / DRAWS <= 0.98
    assert naive / DRAWS < 0.85  # what the clusters are for


def test_the_difference_of_two_gains_is_covered_too() -> None:
    rng = random.Random(4)
    hits = 0
    for _ in range(DRAWS // 2):
        one = clustered(*stories(rng, 40, 0.5))
        other = clustered(*stories(rng, 15, 0.1))
        found = difference(one, other)
        hits += found.low <= 0.4 <= found.high
        assert 14 <= found.freedom <= 53
    assert 0.91 <= hits / (DRAWS // 2) <= 0.985


def test_no_spread_is_no_interval_and_one_story_is_no_sample() -> None:
    found = clustered([1.0, 1.0, 1.0], ["a", "b", "b"])
    assert (found.low, found.high) == (1.0, 1.0)
    assert difference(found, found) == Estimate(0.0, 0.0, 2)
    with pytest.raises(ValueError, match="1 clusters"):
        clustered([0.0, 1.0], ["a", "a"])
