"""Means and ratios of questions that come in stories, with honest intervals.

The standard error is clustered by story as in Miller, "Adding Error Bars to Evals" (2024, arXiv
2411.00640). Stories are unequal, and one with half of the questions is half of the evidence, so
each counts as in Bell and McCaffrey's bias-reduced linearisation (2002, Survey Methodology 28:169),
which also says how many degrees of freedom are left to Student's t. Of G equal stories that is the
textbook's factor G/(G-1) and its G-1 degrees of freedom. Treating the questions as independent
draws instead covers the truth in 58 to 82 % of the cases in which 95 % were promised, and G-1
degrees for stories of any size claim a difference where there is none in 20 to 30 % of the cases
in which one story has half of the questions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import Any

from exchange.errors import MissingExtra
from exchange.machine import install_command

LEVEL = 0.95
TIE = 1e-9  # values closer than this are equal
_ALL = 1 - 1e-9  # the share of a cluster that has everything: nothing is left to compare it with


def scipy_special() -> Any:
    """`scipy.special`, imported when first needed: it costs a quarter of a second.

    Raises:
        MissingExtra: scipy is not installed.
    """
    try:
        from scipy import special
    except ImportError:
        raise MissingExtra(f"intervals and tests need scipy: {install_command('report')}") from None
    return special


@cache
def t_quantile(p: float, freedom: float) -> float:
    """The value that a share `p` of Student's t lies below."""
    return float(scipy_special().stdtrit(freedom, p))


def t_two_sided_p(t: float, freedom: float) -> float:
    """The chance of a value of Student's t at least as far from zero as `t`."""
    return float(2 * scipy_special().stdtr(freedom, -abs(t)))


@dataclass(frozen=True, slots=True)
class ClusteredEstimate:
    """A figure with its standard error and degrees of freedom; both ends of its 95 % interval.

    `freedom` + 1 is how many equal clusters would tell as much as the `clusters` there are.
    """

    mean: float
    error: float
    freedom: float
    clusters: int

    @property
    def low(self) -> float:
        return self.mean - self._half

    @property
    def high(self) -> float:
        return self.mean + self._half

    @property
    def p(self) -> float:
        """Two-sided chance of a figure this far from zero if the truth were zero.

        Without any spread t says nothing; then it is the sign test's over the clusters.
        """
        if self.error:
            return t_two_sided_p(self.mean / self.error, self.freedom)
        return 2.0 ** (1 - self.clusters) if self.mean else 1.0

    @property
    def _half(self) -> float:
        return t_quantile((1 + LEVEL) / 2, self.freedom) * self.error if self.error else 0.0


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """All that an interval needs: for each cluster two sums, whose ratio over all is the figure.

    Of a mean: the values, and how many there are.
    """

    tops: tuple[float, ...]
    bottoms: tuple[float, ...]


def sum_by_cluster(
    values: Sequence[float], clusters: Sequence[str], weights: Sequence[float] | None = None
) -> ClusterSums:
    """Sum the values by cluster; paired differences go in as differences.

    Args:
        clusters: to which cluster each value belongs.
        weights: what the sum of the values is divided by, such as the references' lengths for a
            ratio of lengths; default: 1 each, which makes it their mean.
    """
    found: dict[str, list[float]] = {}
    for value, cluster, weight in zip(
        values, clusters, weights or [1.0] * len(values), strict=True
    ):
        sums = found.setdefault(cluster, [0.0, 0.0])
        sums[0] += value
        sums[1] += weight
    return ClusterSums(
        tuple(top for top, _ in found.values()), tuple(low for _, low in found.values())
    )


def clustered_ratio(sums: ClusterSums) -> ClusteredEstimate:
    """The ratio R of two totals, linearised: SE = sqrt(sum over clusters of
    (top - R * bottom)^2 / (1 - share)) / the bottoms' total, where a cluster's share is that of its
    bottom. A mean is the case whose bottoms are counts.

    Raises:
        ValueError: fewer than two clusters tell nothing about their spread.
    """
    count = len(sums.tops)
    if count < 2:
        raise ValueError(f"{count} clusters: at least 2 are needed")
    bottom = math.fsum(sums.bottoms)
    found = math.fsum(sums.tops) / bottom
    squares = math.fsum(
        (top - found * low) ** 2 / (1 - min(low / bottom, _ALL))
        for top, low in zip(sums.tops, sums.bottoms, strict=True)
    )
    error = math.sqrt(squares)
    if error <= TIE * math.fsum(map(abs, sums.tops)):
        error = 0.0  # what differs only by rounding does not differ
    return ClusteredEstimate(found, error / bottom, effective_freedom(sums.bottoms), count)


def effective_freedom(sizes: Sequence[float]) -> float:
    """The degrees of freedom that clusters of these sizes leave: G - 1 for G equal ones.

    Bell and McCaffrey's, of the variance in `clustered_ratio` where questions are independent, in
    closed form: with w for a cluster's share and u for w^2 / (1 - w), 1 / (the sum of w^2 and of
    each two u's product, both ways). It is never under 1, whatever share a cluster has.
    """
    total = math.fsum(sizes)
    inverse = before = 0.0
    for size in sizes:
        share = min(size / total, _ALL)
        lever = share * share / (1 - share)
        inverse += share * share + 2 * before * lever
        before += lever
    return 1 / inverse


def clustered_mean(values: Sequence[float], clusters: Sequence[str]) -> ClusteredEstimate:
    """The mean of `values`; see `clustered_ratio`."""
    return clustered_ratio(sum_by_cluster(values, clusters))


def difference(one: ClusteredEstimate, other: ClusteredEstimate) -> ClusteredEstimate:
    """`one` minus `other`, of clusters that have nothing to do with each other.

    Variances add; the degrees of freedom are Welch's and Satterthwaite's (Welch 1947, Biometrika
    34:28).
    """
    first, second = one.error**2, other.error**2
    spread = first**2 / one.freedom + second**2 / other.freedom
    freedom = (first + second) ** 2 / spread if spread else one.freedom + other.freedom
    clusters = one.clusters + other.clusters - 1
    return ClusteredEstimate(one.mean - other.mean, math.sqrt(first + second), freedom, clusters)


def design_effect(values: Sequence[float], clusters: Sequence[str]) -> float:
    """How many clustered questions are worth one independent one, at least 1 (Kish 1965).

    The clustered variance of the mean over that of as many independent draws; 1 where the values
    do not vary.
    """
    found, alone = (
        clustered_mean(values, clusters),
        clustered_mean(values, [*map(str, range(len(values)))]),
    )
    return max(1.0, (found.error / alone.error) ** 2) if alone.error else 1.0


def within_shares(low: float, high: float) -> tuple[float, float]:
    """An interval of a difference of shares, cut where such differences end."""
    return max(-1.0, low), min(1.0, high)


def wilson_interval(right: float, count: float, effect: float = 1.0) -> tuple[float, float]:
    """Wilson's score interval of 95 % for `right` of `count` (Wilson 1927, JASA 22:209).

    It stays inside 0 and 1, also of few questions and near the ends; recommended over the textbook
    one for small counts by Brown, Cai and DasGupta (2001, Statistical Science 16:101). The formula
    stands here because scipy's takes whole counts only, which a design effect does not leave.

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


def with_least_error(found: ClusteredEstimate) -> ClusteredEstimate:
    """The mean of shares, or of their differences, with the doubt that is left without any spread.

    That none of G stories differs is no certainty: the standard error becomes that of Wilson's
    interval for 0 of G.
    """
    if found.error:
        return found
    _, high = wilson_interval(0, found.freedom + 1)  # as many as they are worth
    return replace(found, error=high / t_quantile((1 + LEVEL) / 2, found.freedom))
