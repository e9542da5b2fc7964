"""How sure the scorer may be: a temperature, and a confidence below which it abstains.

Both are fitted on validation items alone. A temperature changes no order of the levels, only how
far their probabilities lie apart (Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

COLDEST, HOTTEST = 0.05, 20.0
_GOLDEN, _ROUNDS = 0.6180339887498949, 60


@dataclass(frozen=True, slots=True)
class LevelPrediction:
    """What the digits' logits say about one answer."""

    level: int  # the expected level, rounded
    expected: float  # the sum of k p_k
    confidence: float  # the probability of `level`
    probabilities: tuple[float, ...]  # of the levels 0 to top
    cut: bool = False  # what was read had lost its end


def predict_level(logits: Sequence[float], top: int, temperature: float) -> LevelPrediction:
    """p = softmax(logits / T) over the levels 0 to `top`; the other digits do not exist here."""
    import numpy as np

    scaled = np.asarray(logits[: top + 1], np.float64) / temperature
    powers = np.exp(scaled - scaled.max())
    p = powers / powers.sum()
    expected = float(p @ np.arange(top + 1))
    level = min(top, int(expected + 0.5))
    return LevelPrediction(level, expected, float(p[level]), tuple(float(value) for value in p))


def fit_temperature(logits: Array, tops: Sequence[int], levels: Sequence[int]) -> float:
    """The temperature of the lowest cross-entropy of the true levels, by golden section.

    Args:
        logits: (items, 10), of the digits.
    """
    import numpy as np

    masked = np.where(np.arange(logits.shape[1]) <= np.asarray(tops)[:, None], logits, -np.inf)
    masked = masked - masked.max(axis=1, keepdims=True)
    true = np.take_along_axis(masked, np.asarray(levels)[:, None], axis=1)[:, 0]

    def loss(power: float) -> float:
        t = np.exp(power)
        return float((np.log(np.exp(masked / t).sum(axis=1)) - true / t).mean())

    low, high = float(np.log(COLDEST)), float(np.log(HOTTEST))
    for _ in range(_ROUNDS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def fit_threshold(
    readings: Sequence[LevelPrediction], levels: Sequence[int], agreement: float
) -> float:
    """The lowest confidence from which on at least this share of the levels is exactly right.

    Returns:
        Over 1 when no set of at least a twentieth of the items reaches it: the scorer then
        abstains always.
    """
    ranked = sorted(zip(readings, levels, strict=True), key=lambda pair: -pair[0].confidence)
    least = max(1, len(ranked) // 20)
    right, found = 0, 1.01
    for number, (reading, level) in enumerate(ranked, 1):
        right += reading.level == level
        last = number == len(ranked) or ranked[number][0].confidence < reading.confidence
        if last and number >= least and right / number >= agreement:
            found = reading.confidence
    return found
