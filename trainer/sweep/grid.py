"""Learning rates at equal ratios. Pure."""

from __future__ import annotations

import math

from exchange.errors import UsageError

BELOW, ABOVE = 8.0, 4.0  # around a rate that is a guess: half a power of ten either way and more


def around(rate: float) -> tuple[float, float]:
    """The ends of the usual search: the configured rate is a guess."""
    return rate / BELOW, min(1.0, rate * ABOVE)


def geometric(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` rates from `low` to `high`, each as many times the one before; two digits are enough.

    Raises:
        UsageError: no range, or fewer than three rates.
    """
    if not 0 < low < high <= 1:
        raise UsageError(f"rates from {low:g} to {high:g}: give 0 < --from < --to <= 1")
    if count < 3:
        raise UsageError(f"{count} rates say nothing of what lies between: give --rates 3 or more")
    ratio = (high / low) ** (1 / (count - 1))
    rates = tuple(rounded(low * ratio**number) for number in range(count))
    if len(set(rates)) < count:
        raise UsageError(f"{count} rates from {low:g} to {high:g} are too close to be told apart")
    return rates


def step(rates: tuple[float, ...]) -> float:
    """How many times each rate is the one before."""
    return (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))


def rounded(rate: float) -> float:
    """Two significant digits: no search is sharper."""
    return float(f"{rate:.1e}")


def logs(rates: tuple[float, ...]) -> list[float]:
    """Natural logarithms: a rate matters by its ratio to another."""
    return [math.log(rate) for rate in rates]
