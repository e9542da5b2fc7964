"""How sure the scorer may be: a temperature, and a confidence below which it abstains.

Both are fitted on validation items alone. A temperature changes no order of the levels, only how
far their probabilities lie apart (Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trainer.statistics.clustered import design_effect, scipy_special

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NEVER = 1.01  # a confidence that none reaches
BROKEN = 0.05  # the chance that the promise of an agreement is not kept
COLDEST, HOTTEST = 0.05, 20.0
_GOLDEN, _ROUNDS = 0.6180339887498949, 60


@dataclass(frozen=True, slots=True)
class LevelPrediction:
    """What a candidate says about one answer."""

    level: int  # the expected level, rounded
    expected: float  # the sum of k p_k
    confidence: float  # the probability of `level`
    probabilities: tuple[float, ...]  # of the levels 0 to top
    cut: bool = False  # what was read had lost its end

    def on_top(self, top: int) -> LevelPrediction:
        """The same on a scale of other levels, each standing for the nearest there."""
        own = len(self.probabilities) - 1
        if own == top:
            return self
        moved = [math.floor(level / own * top + 0.5) for level in range(own + 1)]
        found = [0.0] * (top + 1)
        for level, value in zip(moved, self.probabilities, strict=True):
            found[level] += value
        level = moved[self.level]
        return replace(
            self,
            level=level,
            expected=self.expected / own * top,
            confidence=found[level],
            probabilities=tuple(found),
        )


def predict_level(logits: Sequence[float], top: int, temperature: float) -> LevelPrediction:
    """p = softmax(logits / T) over the levels 0 to `top`; labels beyond do not exist here."""
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
        logits: (items, labels).
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
    readings: Sequence[LevelPrediction],
    levels: Sequence[int],
    agreement: float,
    clusters: Sequence[str] | None = None,
) -> float:
    """The lowest confidence from which on this share of the levels is exactly right, surely enough.

    Selective classification with a guarantee (Geifman and El-Yaniv 2017, arXiv 1705.08500,
    algorithm 1): the share that is right above a confidence is bounded from below by Clopper and
    Pearson, at a chance of `BROKEN` divided by the number of confidences that are looked at.

    Args:
        clusters: to which question each belongs: answers that fail together count as fewer.

    Returns:
        Over 1 when no confidence can promise it: the scorer then abstains always.

    Raises:
        MissingExtra: scipy is not installed.
    """
    import numpy as np

    count = len(readings)
    if not count:
        return NEVER
    confidences = np.array([reading.confidence for reading in readings])
    right = np.array([r.level == level for r, level in zip(readings, levels, strict=True)])
    effect = 1.0
    if clusters is not None and len(set(clusters)) > 1:
        effect = design_effect(right.astype(float).tolist(), clusters)
    order = np.argsort(-confidences, kind="stable")
    looks = math.ceil(math.log2(count)) + 1
    chance = BROKEN / looks
    found, low, high = NEVER, 1, count
    for _ in range(looks):  # fewest answers first: if they do not hold it, fewer are looked at
        if low > high:
            break
        number = (low + high) // 2
        threshold = confidences[order[number - 1]]
        kept = confidences >= threshold
        hits, all_kept = float(right[kept].sum()) / effect, float(kept.sum()) / effect
        if lower_bound(hits, all_kept, chance) >= agreement:
            found, low = float(threshold), number + 1
        else:
            high = number - 1
    return found


def lower_bound(right: float, count: float, chance: float) -> float:
    """Clopper and Pearson's (1934, Biometrika 26:404): the true share is lower with this chance.

    Args:
        right: of `count`; a design effect does not leave whole numbers.
    """
    if right <= 0 or count <= 0:
        return 0.0
    return float(scipy_special().betaincinv(right, count - right + 1, chance))
