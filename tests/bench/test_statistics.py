"""The simulation that the intervals are judged by: its own truth, and its figures."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from bench import statistics
from bench.registry import BenchSettings
from trainer.statistics import design_effect


def test_the_simulated_stories_have_the_correlation_and_the_truth_that_they_claim() -> None:
    rng = np.random.default_rng(1)
    shape = statistics._StoryShape(4000, 10, 0.5)
    won, lost, sizes = statistics._evaluation(rng, shape)
    assert (won.sum() - lost.sum()) / sizes.sum() == pytest.approx(0.15, abs=0.02)
    values = [
        v
        for w, k, n in zip(won, lost, sizes, strict=True)
        for v in [1.0] * w + [-1.0] * k + [0.0] * (n - w - k)
    ]
    clusters = [str(story) for story, n in enumerate(sizes) for _ in range(n)]
    # Ten questions that share half of their luck are worth 10 / (1 + 9 * 0.5) independent ones.
    assert design_effect(values, clusters) == pytest.approx(5.5, rel=0.1)
    *_, uneven = statistics._evaluation(rng, statistics._StoryShape(4000, 5, 0.3, "even"))
    assert uneven.min() == 1 and uneven.max() == 9 and uneven.mean() == pytest.approx(5, abs=0.2)


def test_ours_cover_more_often_than_those_that_forget_the_stories() -> None:
    found = statistics.run(argparse.Namespace(draws=30), BenchSettings(True, lambda text: None))
    assert found["coverage_low"] >= 0.8 > found["naive_low"]
    assert found["unequal_low"] >= 0.8 and found["few_low"] >= 0.8
    assert found["holm_false"] < found["holm_uncorrected"] and 0.6 <= found["power"] <= 1
    assert len(found["settings"]) == len(found["claims"]) == 22 and found["draws"] == 30
    assert found["false_claims"] < 0.3 and found["old_low"] < found["unequal_low"]
