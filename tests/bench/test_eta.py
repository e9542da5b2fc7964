"""The simulated runs, and the bench over them."""

from __future__ import annotations

import argparse
import random

import pytest

from bench import eta
from bench.eta.simulate import KINDS, simulate
from bench.registry import BenchSettings


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_run_ends_once_its_work_is_done_and_is_the_same_for_the_same_seed(kind: str) -> None:
    one, same = (simulate(kind, random.Random(f"{kind} 3")) for _ in range(2))
    assert one == same
    times, done = zip(*one.samples, strict=True)
    assert list(done) == sorted(done) and done[-1] < one.total
    assert times[-1] < one.finish <= times[-1] + times[1]


def test_the_bench_counts_answers_of_every_kind() -> None:
    figures = eta.run(argparse.Namespace(runs=2, seed=3), BenchSettings(True, lambda text: None))
    assert figures["answers"] > 150 and 0.5 < figures["in_range"] <= 1
    assert all(0 <= figures[f"in_range_{kind}"] <= 1 for kind in KINDS)


def test_a_range_that_misses_is_counted_as_a_miss() -> None:
    missed = eta.RangeForecast("steady", low=5, middle=6, high=7, naive=6, true=8)
    assert not missed.holds and missed.width == 0.25
