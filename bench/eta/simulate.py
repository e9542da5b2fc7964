"""Runs whose rate changes as rates do in weeks of work: by chance, by the clock, by people."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STEP_S = 900.0  # between two samples; a rate holds for so long
DAYS = (3.0, 45.0)  # how long a run of unchanged rate would take
LONGEST = 40  # times as long a run is given up
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """One simulated run: what was done by when, and when all was."""

    kind: str
    samples: list[tuple[float, float]]  # seconds, things done
    total: float
    finish: float  # seconds


Rates = Iterator[float]  # relative to the usual rate, one for each STEP_S


def steady(drawn: random.Random, steps: int) -> Rates:
    """Always the same, but for the noise of single steps."""
    while True:
        yield drawn.gammavariate(4, 0.25)


def levels(drawn: random.Random, steps: int) -> Rates:
    """A worker more or less: some changes for good, each by about a third."""
    level, next_change = 1.0, drawn.expovariate(3 / steps)
    for step in _forever():
        if step >= next_change:
            level = min(max(level * math.exp(drawn.gauss(0, 0.35)), 0.3), 3.0)
            next_change = step + drawn.expovariate(3 / steps)
        yield level * drawn.gammavariate(6, 1 / 6)


def wandering(drawn: random.Random, steps: int) -> Rates:
    """Longer and shorter texts, other load on the machine: the rate wanders around its mean."""
    memory = drawn.uniform(0.02, 0.15) * steps
    pull, height, value = math.exp(-1 / memory), 0.4, drawn.gauss(0, 0.4)
    while True:
        value = pull * value + height * math.sqrt(1 - pull * pull) * drawn.gauss(0, 1)
        yield math.exp(value)


def nights(drawn: random.Random, steps: int) -> Rates:
    """Quiet hours: nothing, or little, for a part of each day."""
    start, length, left = drawn.uniform(0, 1), drawn.uniform(0.2, 0.5), drawn.choice((0.0, 0.3))
    for step in _forever():
        asleep = (step * STEP_S / DAY_S - start) % 1 < length
        yield (left if asleep else 1.0) * drawn.gammavariate(6, 1 / 6)


def stops(drawn: random.Random, steps: int) -> Rates:
    """A lid that is closed, a site that is away: pauses of an hour to two days."""
    until, next_stop = 0.0, drawn.expovariate(5 / steps)
    for step in _forever():
        if step >= next_stop:
            until = step + 3600 / STEP_S * min(48.0, drawn.lognormvariate(1.2, 1.0))
            next_stop = until + drawn.expovariate(5 / steps)
        yield 0.0 if step < until else drawn.gammavariate(6, 1 / 6)


def sloping(drawn: random.Random, steps: int) -> Rates:
    """Slower, or faster, all the time: up to three fifths over the run."""
    end = drawn.uniform(0.4, 1.6)
    for step in _forever():
        share = min(step / steps, 1.5)
        yield max(0.1, 1 + (end - 1) * share) * drawn.gammavariate(6, 1 / 6)


def mixed(drawn: random.Random, steps: int) -> Rates:
    """Quiet hours, changes for good and pauses together."""
    for three in zip(nights(drawn, steps), levels(drawn, steps), stops(drawn, steps), strict=False):
        yield math.prod(three)


KINDS: dict[str, Callable[[random.Random, int], Rates]] = {
    kind.__name__: kind for kind in (steady, levels, wandering, nights, stops, sloping, mixed)
}


def simulate(kind: str, drawn: random.Random) -> SimulatedRun:
    """One run of a kind; its length, its rates and its changes are drawn."""
    steps = round(drawn.uniform(*DAYS) * DAY_S / STEP_S)
    total, done = float(steps), 0.0
    samples = [(0.0, 0.0)]
    for step, rate in enumerate(KINDS[kind](drawn, steps)):
        if done + rate >= total:
            finish = (step + (total - done) / rate) * STEP_S
            break
        done += rate
        samples.append(((step + 1) * STEP_S, done))
        if step > LONGEST * steps:
            raise AssertionError(f"a {kind} run does not end")
    return SimulatedRun(kind, samples, total, finish)


def _forever() -> Iterator[int]:
    step = 0
    while True:
        yield step
        step += 1
