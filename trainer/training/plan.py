"""What is known of a run before its first step: its plan, how it is computed, what it takes. Pure.

A run that goes on is computed as it began, so the plan is read again from `preflight.json`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.files import write_atomic

FILE = "preflight.json"
MODE = "way"  # the name of `PreflightPlan.mode` in that file


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All that is known before the first step; printed before the long work starts."""

    train_rows: int
    valid_rows: int
    too_long: int  # rows left out because they exceed `longest_allowed`
    longest_allowed: int  # tokens
    longest: int  # tokens, of the rows that are trained
    tokens: int  # true tokens of one epoch
    targets: int  # of them looked at by the loss
    computed: int  # with pads
    epochs: int
    steps: int
    trainable: int  # parameters
    parameters: int
    layers: int
    all_layers: int
    cache_bytes: int  # what the activations below the tuned layers would take on disk; 0: none
    cached: bool  # they are used
    teacher_rows: int = 0  # whose target is also what the base says with their text before it
    teacher_bytes: int = 0  # what that takes on disk
    pairs: int = 0  # rows that reject what a run invented; each is computed with both answers

    @property
    def cache_saves(self) -> float:
        """Share of an epoch's computing that the activation cache saves, or would save.

        A layer costs as much forward as backward (frozen weights need no gradient of their own),
        and only the tuned ones are gone through backward.
        """
        return (self.all_layers - self.layers) / (self.all_layers + self.layers)

    @property
    def padding(self) -> float:
        """Share of the computed tokens that are pads."""
        return 1 - self.tokens / self.computed if self.computed else 0.0


@dataclass(frozen=True, slots=True)
class ComputeMode:
    """How a run is computed; the rows of every step are the same in each mode."""

    checkpoint: bool = False  # activations twice
    parts: int = 1  # of a batch, computed one after the other
    bits: int = 0  # of the base that is made for this run; 0: the base as it is

    def rows(self, batch: int) -> int:
        """Rows computed together."""
        return -(-batch // self.parts)


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


def time_spent(work: Callable[[], object]) -> TimeSpent:
    """Do some work, and return what it took."""
    clock, used = time.perf_counter(), time.process_time()
    work()
    return TimeSpent(time.perf_counter() - clock, time.process_time() - used)


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


@dataclass(frozen=True, slots=True)
class PreflightPlan:
    """How a run is going to be computed, why so, and what it takes."""

    mode: ComputeMode
    reasons: tuple[str, ...]
    forecast: RunForecast
    tokens_per_s: float  # true tokens, over whole steps
    model: str = ""  # folder of the 4-bit copy that is tuned instead; "" for the model asked for
    batch: int = 0  # as asked for when this was measured; 0: by an earlier version
    checkpoint: bool = False  # the same

    def save(self, folder: Path) -> None:
        """Write `preflight.json` into the run's folder."""
        fields = asdict(self)
        stored = {MODE: fields.pop("mode"), **fields}
        stored["process_bytes"] = self.forecast.process_bytes
        write_atomic(folder / FILE, orjson.dumps(stored, option=orjson.OPT_INDENT_2))

    def left(self, share: float) -> Self:
        """The same for a run of which only this share is still to be done."""
        if share == 1:
            return self
        ahead = self.forecast.ahead.times(share)
        return replace(self, forecast=replace(self.forecast, ahead=ahead, before=TimeSpent()))


def load_preflight(folder: Path) -> PreflightPlan | None:
    """The plan with which a run began; None where nothing usable is stored."""
    try:
        stored: dict[str, Any] = orjson.loads((folder / FILE).read_bytes())
        stored.pop("process_bytes")
        forecast = stored.pop("forecast")
        for name in ("ahead", "before", "probe"):
            forecast[name] = TimeSpent(**forecast[name])
        return PreflightPlan(
            mode=ComputeMode(**stored.pop(MODE)),
            reasons=tuple(stored.pop("reasons")),
            forecast=RunForecast(**forecast),
            **stored,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # by another version, or never written: it is measured again
