"""How large a part each round may take, so that all of them stay below a share of the full runs.

Pure. Computing is counted in tokens: a step goes forward and backward, a look only forward, which
is about a third of it. What costs the same whatever is tried (loading, encoding) is left a reserve.
"""

from __future__ import annotations

from dataclasses import dataclass

ROUNDS = 3
GROWTH = 2  # a round's part is so many times the one before
KEPT = 3  # rates of the later rounds: the best so far and its two neighbours
FEWEST_STEPS = 24  # in a round; a shorter run is all warm-up
FORWARD = 1 / 3  # of a step's cost
RESERVE = 0.25  # of the budget, for looks, loading and what a small step costs whatever it computes


@dataclass(frozen=True, slots=True)
class Round:
    """One round of tries."""

    rows: int  # of train, in every try
    steps: int
    tries: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The rounds, and what they cost beside the full runs."""

    rounds: tuple[Round, ...]
    full_steps: int
    share: float  # of the cost of all rates in full, by steps

    @property
    def tries(self) -> int:
        """Tries of all rounds."""
        return sum(one.tries for one in self.rounds)


def plan(rows: int, per_step: int, epochs: int, rates: int, budget: float) -> Plan | None:
    """Three rounds, each of twice the rows; fewer for small sets; None when not even one fits.

    Args:
        rows: of the whole training set.
        per_step: rows of one optimizer step.
        budget: share of what training all rates in full costs.
    """
    full = epochs * -(-rows // per_step)
    for count in range(ROUNDS, 0, -1):
        tries = [rates] + [min(KEPT, rates)] * (count - 1)
        weight = sum(number * GROWTH**at for at, number in enumerate(tries))
        first = (1 - RESERVE) * budget * rates * rows / weight
        parts = [int(first * GROWTH**at) // per_step * per_step for at in range(count)]
        rounds = tuple(
            Round(part, epochs * (part // per_step), number)
            for part, number in zip(parts, tries, strict=True)
        )
        if rounds[0].steps >= FEWEST_STEPS:
            spent = sum(one.steps * one.tries for one in rounds)
            return Plan(rounds, full, spent / (rates * full))
    return None
