"""Does the true end lie in the range that was shown? Simulated runs with changing rates.

Seven kinds of run, of three to forty-five days: steady, changes for good, wandering, quiet hours,
pauses, a slope, and the first three of these together. Each is asked when it ends at every
twentieth of its work from the fifth on; `kkoracle.status.eta` sees the samples until then and no
more.

in_range       share of the answers whose range holds the true end
in_range_KIND  the same of each kind alone
median_width   width of the range over the time that was truly left, the median
naive_in_range the same for the peer: rest at the whole run's mean rate, give or take as much as
               makes its median width ours
middle_error   |middle - true| / true, the median; `naive_error` the peer's
eta_ms         processor time of one answer
"""

from __future__ import annotations

import argparse
import random
import time
from bisect import bisect_right
from dataclasses import dataclass
from statistics import fmean, median

from bench.eta.simulate import KINDS, SimulatedRun, simulate
from bench.registry import BenchSettings, Figures
from kkoracle.status.eta import EtaRange, eta

SEED = 7
NOT_FOR_JUDGING = ("in_range*", "median_width", "naive_*", "middle_error")
RUNS, QUICK_RUNS = 60, 8  # of each kind
MARKS = range(20, 100, 5)  # percent done


@dataclass(frozen=True, slots=True)
class RangeForecast:
    """What was said at one mark of one run, and what came."""

    kind: str
    low: float
    middle: float
    high: float
    naive: float
    true: float

    @property
    def holds(self) -> bool:
        return self.low <= self.true <= self.high

    @property
    def width(self) -> float:
        return (self.high - self.low) / self.true


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--runs", type=int, help=f"of each kind; default: {RUNS}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default: {SEED}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Simulate, ask, and count."""
    count = args.runs or (QUICK_RUNS if settings.quick else RUNS)
    answers: list[RangeForecast] = []
    used = 0.0
    for kind in KINDS:
        for number in range(count):
            simulated = simulate(kind, random.Random(f"{args.seed} {kind} {number}"))
            before = time.process_time()
            answers += ask(simulated)
            used += time.process_time() - before
        settings.log(f"{kind}: {count} runs")
    half = median(a.width for a in answers) / 2
    return {
        "seed": args.seed,
        "runs": count * len(KINDS),
        "answers": len(answers),
        "in_range": _share(answers),
        "median_width": round(2 * half, 3),
        "naive_in_range": round(fmean(abs(a.naive - a.true) <= half * a.true for a in answers), 3),
        "middle_error": round(median(abs(a.middle - a.true) / a.true for a in answers), 3),
        "naive_error": round(median(abs(a.naive - a.true) / a.true for a in answers), 3),
        **{f"in_range_{kind}": _share([a for a in answers if a.kind == kind]) for kind in KINDS},
        "eta_ms": round(1000 * used / len(answers), 3),
    }


def ask(simulated: SimulatedRun) -> list[RangeForecast]:
    """The answers at every mark; no answer counts as a range that holds nothing."""
    done = [count for _, count in simulated.samples]
    answers = []
    for mark in MARKS:
        seen = bisect_right(done, simulated.total * mark / 100)
        if seen >= len(done):
            continue
        now, reached = simulated.samples[seen]
        found: EtaRange | None = eta(simulated.samples[: seen + 1], simulated.total, now)
        low, middle, high = found or (0.0, 0.0, 0.0)
        naive = (simulated.total - reached) * now / reached
        answers.append(
            RangeForecast(simulated.kind, low, middle, high, naive, simulated.finish - now)
        )
    return answers


def _share(answers: list[RangeForecast]) -> float:
    return round(fmean(answer.holds for answer in answers), 3)
