"""Several questions asked of one evaluation: each answer must stand for all of them together."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for being one of several (Holm 1979, Scandinavian J. of Statistics 6:65).

    With those under 0.05 called real, the chance that even one of them is not stays under 5 %,
    whatever depends on what.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted
