"""From a few measured steps to the whole run: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """What a piece of work took."""

    seconds: float = 0.0  # by the clock
    cpu_s: float = 0.0  # of all threads of this process

    def __add__(self, other: TimeSpent) -> TimeSpent:
        return TimeSpent(self.seconds + other.seconds, self.cpu_s + other.cpu_s)

    def times(self, count: float) -> TimeSpent:
        """As much, so many times."""
        return TimeSpent(self.seconds * count, self.cpu_s * count)


_NOTHING = TimeSpent()


@dataclass(frozen=True, slots=True)
class WeightedPick:
    """One of many pieces of work, and how many of them it stands for."""

    index: int
    weight: float


def pick_strata(costs: Sequence[float], count: int) -> list[WeightedPick]:
    """A few pieces that stand for all; the dearest is one of them, and stands for itself.

    The others are cut into runs of like cost, of which the middle one is taken: so a cost that
    does not grow evenly is met as it is, whatever its form.

    Args:
        costs: of each piece, in any unit; only their order counts.
        count: at most so many are taken, at least two.
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], index))
    rest, dearest = order[:-1], order[-1:]
    runs = min(len(rest), max(1, count - 1))
    bounds = [round(number * len(rest) / runs) for number in range(runs + 1)] if runs else []
    picked = [
        WeightedPick(rest[(first + last - 1) // 2], last - first)
        for first, last in pairwise(bounds)
    ]
    return [*picked, *(WeightedPick(index, 1) for index in dearest)]


def extrapolate(picked: Sequence[WeightedPick], spent: Sequence[TimeSpent]) -> TimeSpent:
    """What all pieces take, from what the picked ones took."""
    whole = TimeSpent()
    for one, took in zip(picked, spent, strict=True):
        whole += took.times(one.weight)
    return whole


@dataclass(frozen=True, slots=True)
class RowFootprint:
    """Memory as it grows with the rows computed together, all as long as the longest."""

    fixed: float  # bytes that are there whatever is computed: weights, adapter, optimizer
    row: float  # bytes for each row

    @classmethod
    def of(cls, one: int, two: int) -> RowFootprint:
        """From the peaks of one row and of two: rows of a batch are alike, so this is a line."""
        row = max(0, two - one)
        return cls(max(0, one - row), row)

    def peak(self, rows: int) -> int:
        """Bytes at the peak with so many rows."""
        return math.ceil(self.fixed + self.row * rows)

    def fits(self, limit: float) -> int:
        """How many rows fit in `limit` bytes; 0 when none does."""
        if self.fixed + self.row > limit:
            return 0
        return int((limit - self.fixed) / self.row) if self.row else 2**31


@dataclass(frozen=True, slots=True)
class RunForecast:
    """What a run will take, from here to its end; `before` is what this process took so far."""

    watts: float
    peak_bytes: int = 0  # the most that MLX holds at one time
    pool_bytes: int = 0  # of freed arrays, kept for the next ones
    process_bytes: int = 0  # of the whole process: both, and Python with its libraries
    limit_bytes: int = 0  # what the peak may be
    ahead: TimeSpent = _NOTHING
    before: TimeSpent = _NOTHING
    disk_bytes: int = 0  # adapter and state, as they lie in the run's folder at most
    steps_tried: int = 0
    probe: TimeSpent = _NOTHING

    @property
    def total(self) -> TimeSpent:
        """Of the whole command."""
        return self.before + self.ahead

    @property
    def kwh(self) -> float:
        """Energy from here to the end."""
        return self.watts * self.ahead.seconds / 3.6e6
