"""Means of questions that come in stories, with honest intervals.

Questions of one story rise and fall together, so they are no independent draws. The standard
error is clustered by story as in Miller, "Adding Error Bars to Evals" (2024, arXiv 2411.00640),
with the factor G/(G-1) for G clusters and Student's t with G-1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

LEVEL = 0.95
_EPS, _TINY, _TERMS = 1e-14, 1e-300, 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its standard error and degrees of freedom; both ends of its 95 % interval."""

    mean: float
    error: float
    freedom: float

    @property
    def low(self) -> float:
        return self.mean - self._half

    @property
    def high(self) -> float:
        return self.mean + self._half

    @property
    def _half(self) -> float:
        return t_quantile((1 + LEVEL) / 2, self.freedom) * self.error if self.error else 0.0


def clustered(values: Sequence[float], clusters: Sequence[str]) -> Estimate:
    """The mean of `values`; paired differences go in as differences.

    SE = sqrt(G/(G-1) * sum over clusters of (sum of the deviations in the cluster)^2) / N.

    Args:
        clusters: to which cluster each value belongs.

    Raises:
        ValueError: fewer than two clusters tell nothing about their spread.
    """
    mean = math.fsum(values) / len(values) if values else 0.0
    sums: dict[str, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value - mean
    count = len(sums)
    if count < 2:
        raise ValueError(f"{count} clusters: at least 2 are needed")
    squares = math.fsum(total * total for total in sums.values())
    return Estimate(mean, math.sqrt(count / (count - 1) * squares) / len(values), count - 1)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one` minus `other`, of clusters that have nothing to do with each other.

    Variances add; the degrees of freedom are Welch and Satterthwaite's.
    """
    first, second = one.error**2, other.error**2
    spread = first**2 / one.freedom + second**2 / other.freedom
    freedom = (first + second) ** 2 / spread if spread else one.freedom + other.freedom
    return Estimate(one.mean - other.mean, math.sqrt(first + second), freedom)


@cache
def t_quantile(p: float, freedom: float) -> float:
    """Student's t: the value that a share `p` (over a half) lies below."""
    low, high = 0.0, 1.0
    while _t_share(high, freedom) < p:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_share(middle, freedom) < p else (low, middle)
        if high - low <= 1e-12 * high:
            break
    return (low + high) / 2


def _t_share(t: float, freedom: float) -> float:
    return 1 - _beta_share(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - _beta_share(1 - x, b, a)
    front = math.exp(
        a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    )
    return front / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EPS:
            break
    return value


def _away(value: float) -> float:
    """Keep a divisor away from zero."""
    return value if abs(value) > _TINY else _TINY
