"""How far confidence and the share that is right lie apart, and what chance alone makes of that.

The expected calibration error (Naeini et al. 2015, AAAI) is never negative, so a few answers give
one even to a system whose confidence is exactly true; beside every figure stands that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from trainer.statistics.clustered import TIE

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DRAWS, SEED = 400, 7


def equal_width_bin(confidence: float, bins: int) -> int:
    """The bin of a confidence from 0 to 1; what differs only by rounding is in one."""
    return min(bins - 1, int(confidence * bins + TIE))


def equal_size_bins(confidences: Sequence[float], bins: int) -> list[int]:
    """The bin of each confidence, `bins` of about equal size (Nguyen and O'Connor 2015, EMNLP).

    Equal confidences are in one bin: which of them are right would else depend on their order.
    """
    order = sorted(range(len(confidences)), key=confidences.__getitem__)
    ranked = [confidences[at] for at in order]
    ends = [number * len(ranked) // bins for number in range(bins + 1)]
    found = [0] * len(ranked)
    for number, (first, last) in enumerate(pairwise(ends)):
        for place in range(first, last):
            tied = place > 0 and ranked[place] - ranked[place - 1] <= TIE
            found[order[place]] = found[order[place - 1]] if tied else number
    return found


def calibration_error(
    confidences: Sequence[float], right: Sequence[float], bins: Sequence[int]
) -> float:
    """The mean distance between confidence and share of right answers over bins: 0 to 1.

    Args:
        bins: to which bin each belongs.
    """
    gaps: dict[int, float] = {}
    for sure, value, number in zip(confidences, right, bins, strict=True):
        gaps[number] = gaps.get(number, 0.0) + sure - value
    return sum(map(abs, gaps.values())) / len(confidences)


def error_if_calibrated(confidences: Sequence[float], bins: Sequence[int]) -> float:
    """The calibration error to expect if each were right as often as its confidence says.

    The mean over draws, of answers that are independent.
    """
    import numpy as np

    sure = np.asarray(confidences)
    numbers = np.unique(np.asarray(bins), return_inverse=True)[1]
    rng = np.random.default_rng(SEED)
    total = 0.0
    for _ in range(DRAWS):
        missed: Array = sure - (rng.random(len(sure)) < sure)
        total += float(np.abs(np.bincount(numbers, missed)).sum())
    return total / DRAWS / len(sure)
