"""What a search tries: its rounds, its grid of rates, the rows it trains on and judges by.

Rounds stay below a share of what the full runs cost. Computing is counted in tokens: a step goes
forward and backward, a validation only forward, which is about a third of it; what costs the same
whatever is tried (loading, encoding) is left a reserve. What has to be remembered is taught as
often as in the run itself: the same epochs over fewer rows. It is judged on validation rows that
ask about what this part teaches; where validation asks about held-out stories, which no rate can
teach, on rows taught.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from exchange.errors import UsageError
from trainer.dataset.rows import DatasetRow
from trainer.training.callbacks import Callback
from trainer.training.sweep.trials import RoundBest, Trial, round_rate

ROUNDS = 3
GROWTH = 2  # a round's part is so many times the one before
KEPT = 3  # rates of the later rounds: the best so far and its two neighbours
FEWEST_STEPS = 24  # in a round; a shorter run is all warm-up
FORWARD = 1 / 3  # of a step's cost
RESERVE = 0.25  # of the budget, for looks, loading and what a small step costs whatever it computes


@dataclass(frozen=True, slots=True)
class SweepRound:
    """One round of tries."""

    rows: int  # of train, in every try
    steps: int
    tries: int


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The rounds, and what they cost beside the full runs."""

    rounds: tuple[SweepRound, ...]
    full_steps: int
    share: float  # of the cost of all rates in full, by steps

    @property
    def tries(self) -> int:
        """Tries of all rounds."""
        return sum(one.tries for one in self.rounds)


def plan_rounds(
    rows: int, per_step: int, epochs: int, rates: int, budget: float
) -> SweepPlan | None:
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
            SweepRound(part, epochs * (part // per_step), number)
            for part, number in zip(parts, tries, strict=True)
        )
        if rounds[0].steps >= FEWEST_STEPS:
            spent = sum(one.steps * one.tries for one in rounds)
            return SweepPlan(rounds, full, spent / (rates * full))
    return None


BELOW, ABOVE = 8.0, 4.0  # around a rate that is a guess: half a power of ten either way and more


def default_range(rate: float) -> tuple[float, float]:
    """The ends of the usual search: the configured rate is a guess."""
    return rate / BELOW, min(1.0, rate * ABOVE)


def geometric_grid(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` rates from `low` to `high`, each as many times the one before; two digits are enough.

    Raises:
        UsageError: no range, or fewer than three rates.
    """
    if not 0 < low < high <= 1:
        raise UsageError(f"rates from {low:g} to {high:g}: give 0 < --from < --to <= 1")
    if count < 3:
        raise UsageError(f"{count} rates say nothing of what lies between: give --rates 3 or more")
    ratio = (high / low) ** (1 / (count - 1))
    rates = tuple(round_rate(low * ratio**number) for number in range(count))
    if len(set(rates)) < count:
        raise UsageError(f"{count} rates from {low:g} to {high:g} are too close to be told apart")
    return rates


def grid_ratio(rates: tuple[float, ...]) -> float:
    """How many times each rate is the one before."""
    return (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))


MOST_JUDGED = 256  # rows; more costs time and tells no more
FEWEST_JUDGED = 24  # questions about what is taught; with fewer, taught rows judge instead


@dataclass(frozen=True, slots=True)
class RowOrder:
    """All rows in the order in which growing parts take them, each part a beginning of the next."""

    train: tuple[DatasetRow, ...]
    judges: tuple[
        tuple[DatasetRow, int], ...
    ]  # a validation row, and the rows a part needs to teach it


def order_rows(train: Sequence[DatasetRow], valid: Sequence[DatasetRow], seed: int) -> RowOrder:
    """Rows in random order, those first that validation asks about in other words."""
    asking: defaultdict[str, list[DatasetRow]] = defaultdict(list)
    for row in valid:
        asking[row.rephrase_of].append(row)
    shuffled = sorted(train, key=lambda row: row.id)
    random.Random(f"sweep:{seed}").shuffle(shuffled)
    shuffled.sort(key=lambda row: row.id not in asking)  # stable: both kinds stay shuffled
    judges = [
        (one, number) for number, row in enumerate(shuffled, 1) for one in asking.get(row.id, ())
    ]
    return RowOrder(tuple(shuffled), tuple(judges))


def judging_rows(found: RowOrder, count: int) -> tuple[list[DatasetRow], bool]:
    """The rows that judge a part of `count` rows, and whether they ask about it in other words."""
    asking = [row for row, needs in found.judges if needs <= count]
    if len(asking) >= FEWEST_JUDGED:
        return asking[:MOST_JUDGED], True
    return list(found.train[:count][:MOST_JUDGED]), False


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What the search says."""

    rate: float
    tries: tuple[Trial, ...]
    clusters: tuple[tuple[str, ...], ...]  # of each round's judging rows
    bests: tuple[RoundBest, ...]
    drift: float
    plan: SweepPlan
    recall: bool  # judged by questions in other words; else by rows taught
    edge: bool  # the best rate is at an end of all that was tried


class SweepCallback(Callback):
    """Looks at a search; every method may stay as it is."""

    def on_sweep_begin(self, plan: SweepPlan, rates: Sequence[float], done: int) -> None:
        """The search is about to start, or to go on after `done` tries."""

    def on_trial_begin(self, number: int, of: int, rate: float, part: SweepRound) -> None:
        """A try begins; numbers count from 1."""

    def on_sweep_progress(self, share: float) -> None:
        """How much of all steps of all tries is done, from 0 to 1."""

    def on_trial_end(self, one: Trial) -> None:
        """A try is done."""
