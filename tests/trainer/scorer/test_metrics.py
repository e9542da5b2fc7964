"""What a scorer's figures are worth: against counts by hand, and temperature that calibrates."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from trainer.scorer import calibration, metrics
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreScale
from trainer.scorer.metrics import LabelledPrediction


def outcome(level: int, read: int, confidence: float = 0.5, top: int = 3) -> LabelledPrediction:
    return LabelledPrediction(
        ScoreScale(top, top), level, LevelPrediction(read, float(read), confidence, ())
    )


def kappa_by_table(pairs: list[tuple[int, int]], top: int) -> float:
    """Cohen's definition with a table of counts."""
    count = len(pairs)
    seen = np.zeros((top + 1, top + 1))
    for a, b in pairs:
        seen[a, b] += 1
    weights = np.subtract.outer(np.arange(top + 1), np.arange(top + 1)) ** 2
    chance = np.outer(seen.sum(1), seen.sum(0)) / count
    return float(1 - (weights * seen).sum() / (weights * chance).sum())


def test_weighted_kappa_is_that_of_the_table() -> None:
    rng = random.Random(1)
    pairs = [(rng.randint(0, 3), rng.randint(0, 3)) for _ in range(200)]
    assert metrics.qwk_score([outcome(a, b) for a, b in pairs]) == pytest.approx(
        kappa_by_table(pairs, 3)
    )
    assert metrics.qwk_score([outcome(2, 2)] * 5) == 1.0
    assert metrics.qwk_score([outcome(0, 3), outcome(3, 0)]) == -1.0


def test_the_other_figures_by_hand() -> None:
    some = [outcome(0, 0), outcome(1, 1), outcome(1, 2), outcome(3, 0)]
    found = metrics.measure(some)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4, abs=1e-4)
    assert found["mae"] == pytest.approx((1 / 3 + 3 / 3) / 4, abs=1e-4)
    assert set(found) == set(metrics.signatures())
    assert metrics.measure([]) == {}


def test_calibration_error_sees_a_scorer_that_is_too_sure() -> None:
    honest = [outcome(0, int(i >= 70), 0.7) for i in range(100)] * 15
    boastful = [outcome(0, int(i >= 70), 0.99) for i in range(100)] * 15
    random.Random(1).shuffle(honest)
    random.Random(1).shuffle(boastful)
    assert metrics.expected_calibration_error(honest) < 0.06
    assert metrics.expected_calibration_error(boastful) == pytest.approx(0.29, abs=0.01)


def test_a_temperature_undoes_what_made_the_logits_too_sharp() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(size=(4000, 10)) * 2
    tops = [5] * 4000
    powers = np.exp(true[:, :6])
    levels = [int(rng.choice(6, p=row / row.sum())) for row in powers]
    assert calibration.fit_temperature(true * 3, tops, levels) == pytest.approx(3, rel=0.1)
    assert calibration.fit_temperature(true, tops, levels) == pytest.approx(1, rel=0.1)


def test_a_reading_knows_no_digit_above_the_top() -> None:
    logits = [0.0, 1.0, 2.0, 50.0, 50.0, 50.0, 50.0, 50.0, 50.0, 50.0]
    read = calibration.predict_level(logits, 2, 1.0)
    assert len(read.probabilities) == 3
    assert math.isclose(sum(read.probabilities), 1)
    assert read.expected == pytest.approx(sum(k * p for k, p in enumerate(read.probabilities)))
    assert read.level == 2 and read.confidence == read.probabilities[2]


def test_a_threshold_is_promised_only_where_enough_rows_bear_it_out() -> None:
    right = [LevelPrediction(1, 1.0, 0.5 + number / 1000, ()) for number in range(100)]
    levels = [1 if number >= 40 else 0 for number in range(100)]
    found = calibration.fit_threshold(right, levels, 0.8)
    kept = [level for one, level in zip(right, levels, strict=True) if one.confidence >= found]
    assert 60 <= len(kept) < 75 and sum(kept) / len(kept) > 0.8
    assert calibration.fit_threshold(right, [0] * 100, 0.6) > 1
    assert calibration.fit_threshold(right[:10], [1] * 10, 0.8) > 1  # ten of ten prove little
    assert calibration.fit_threshold([], [], 0.8) > 1
    # The same rows from four questions are no hundred: those of one fail together.
    clusters = [str(number // 25) for number in range(100)]
    assert calibration.fit_threshold(right, levels, 0.8, clusters) > 1


@pytest.mark.parametrize("informed", [False, True])
@pytest.mark.parametrize("rows", [50, 100, 500])
def test_at_most_one_training_in_twenty_breaks_its_promise(rows: int, informed: bool) -> None:
    rng = np.random.default_rng(rows)
    broken = 0
    for _ in range(200):
        confidences = rng.uniform(0.5, 1, rows)
        chances = confidences if informed else np.full(rows, 0.78)
        levels = (rng.uniform(size=rows) < chances).astype(int).tolist()
        read = [LevelPrediction(1, 1.0, float(confidence), ()) for confidence in confidences]
        found = calibration.fit_threshold(read, levels, 0.8)
        true = (found + 1) / 2 if informed else 0.78  # of all that lie above the threshold
        broken += found <= 1 and true < 0.8
    assert broken <= 10


def test_the_lower_bound_is_that_of_clopper_and_pearson() -> None:
    # The chance of 14 of 14 where the true share is 0.8 is 0.044; of 13 of 13 0.055.
    assert calibration.lower_bound(14, 14, 0.05) == pytest.approx(0.05 ** (1 / 14))
    assert calibration.lower_bound(0, 10, 0.05) == 0
