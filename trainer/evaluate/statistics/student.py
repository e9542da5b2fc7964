"""Student's t without a library: its distribution and its quantiles.

The share below t is a regularised incomplete beta function (Abramowitz and Stegun 1964, 26.7.1),
computed by its continued fraction (26.5.8) with Lentz's method; the quantile by bisection.
"""

from __future__ import annotations

import math
from functools import cache

_EPS, _TINY, _TERMS = 1e-14, 1e-300, 10_000


@cache
def t_quantile(p: float, freedom: float) -> float:
    """The value that a share `p` (over a half) lies below."""
    low, high = 0.0, 1.0
    while 1 - t_two_sided_p(high, freedom) / 2 < p:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        below = 1 - t_two_sided_p(middle, freedom) / 2 < p
        low, high = (middle, high) if below else (low, middle)
        if high - low <= 1e-12 * high:
            break
    return (low + high) / 2


def t_two_sided_p(t: float, freedom: float) -> float:
    """The chance of a value at least as far from zero as `t`."""
    return _beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)


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
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EPS:
            break
    return value


def _nonzero(value: float) -> float:
    """Keep a divisor away from zero."""
    return value if abs(value) > _TINY else _TINY
