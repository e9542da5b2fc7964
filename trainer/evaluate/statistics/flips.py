"""Answers that became right against answers that became wrong."""

from __future__ import annotations

import math


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p that flips go both ways equally often (McNemar 1947, Psychometrika 12:153).

    It takes the questions as independent, so where stories have several it says too little doubt:
    shown beside the clustered interval, which decides.
    """
    flips = won + lost
    tail = sum(math.comb(flips, k) for k in range(min(won, lost) + 1))
    return min(1.0, 2 * tail / 2**flips)
