"""An interval for a share that stays inside 0 and 1, also of few questions and near the ends."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

from trainer.evaluate.statistics.clustered import LEVEL, Estimate
from trainer.evaluate.statistics.student import t_quantile


def wilson(right: float, count: float, effect: float = 1.0) -> tuple[float, float]:
    """Wilson's score interval of 95 % for `right` of `count` (Wilson 1927, JASA 22:209).

    Recommended over the textbook one for small counts by Brown, Cai and DasGupta (2001,
    Statistical Science 16:101).

    Args:
        effect: the design effect; clustered questions count as `count / effect` independent ones.
    """
    if not count:
        return 0.0, 1.0
    size, share = count / effect, right / count
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = (
        z * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size)) / (1 + z * z / size)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def doubted(found: Estimate) -> Estimate:
    """The mean of shares, or of their differences, with the doubt that is left without any spread.

    That none of G stories differs is no certainty: the standard error becomes that of Wilson's
    interval for 0 of G.
    """
    if found.error:
        return found
    _, high = wilson(0, found.freedom + 1)
    return replace(found, error=high / t_quantile((1 + LEVEL) / 2, found.freedom))
