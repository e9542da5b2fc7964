"""How many questions would be needed to see a difference that matters.

Never computed from the difference that was seen: that only says its p value again (Hoenig and
Heisey 2001, The American Statistician 55:19). It takes the smallest difference that would change
what one does, and the spread that was seen.
"""

from __future__ import annotations

import math

from trainer.evaluate.statistics.clustered import LEVEL, Estimate
from trainer.evaluate.statistics.student import t_quantile

POWER = 0.8  # the chance to see it that is asked for
_ROUNDS = 3  # until the number of clusters changes no more
_NORMAL = 1000  # degrees of freedom; beyond, Student's t is the normal distribution


def questions_needed(
    seen: Estimate, questions: int, matters: float, *, alpha: float = 1 - LEVEL
) -> int:
    """Questions in all, in as many more stories, to see a difference of `matters` with power 0.8.

    The standard error shrinks with the root of the number of clusters: G' = G * ((t_alpha/2 +
    t_power) * SE / matters)^2 (Miller 2024, section 5, with the clustered SE and Student's t).

    Args:
        questions: how many `seen` was made of.
        alpha: level of the test; under Holm's correction the level divided by the set's size.
    """
    clusters = wanted = seen.freedom + 1
    for _ in range(_ROUNDS):  # the quantiles depend on the clusters that are sought
        freedom = min(_NORMAL, max(1, round(wanted) - 1))
        steps = t_quantile(1 - alpha / 2, freedom) + t_quantile(POWER, freedom)
        wanted = max(2.0, clusters * (steps * seen.error / matters) ** 2)
    return math.ceil(wanted * questions / clusters)
