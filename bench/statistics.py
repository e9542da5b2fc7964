"""Whether 95 % intervals cover the truth 95 % of the time, seen on simulated evaluations.

Base and tuned are asked the same questions of stories. Each story has its own chances that tuned
wins, ties or loses a question, drawn from a Dirichlet distribution whose spread gives the
correlation within a story (ICC); so the true difference is known, and every draw is a new
evaluation. Used are the project's own functions, on the same draws.

coverage_low, _high  lowest and highest coverage of the clustered t interval and the cluster
                     bootstrap over all settings: 5 questions a story and ICC 0.3, 10 and 0.5; 50,
                     100 and 300 stories; the draws' own error is about half a point
naive_low, _high     the same of intervals that take questions for independent draws, by normal
                     quantiles and by a bootstrap of questions
percentile_low       lowest coverage of the plain percentile bootstrap of stories
few_low              lowest coverage with 20 stories, for which the report warns
settings             coverage of every interval in every setting
holm_false           evaluations without any difference, ten figures each, in which at least one
                     is called real after Holm's correction; holm_uncorrected without it
power                how often a difference is seen with as many questions as asked for it to be
                     seen four times in five
cpu_s                processor seconds of all of it
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

from bench.registry import Figures, Settings
from trainer.evaluate.statistics import (
    Estimate,
    Sums,
    bootstrap,
    holm,
    questions_needed,
    ratio,
)

SEED = 7
DRAWS, QUICK = 2000, 200
SHAPES = ((5, 0.3), (10, 0.5))  # questions a story, ICC
STORIES = (50, 100, 300)
FEW = 20
CHANCES = (0.25, 0.65, 0.10)  # of a win, a tie, a loss: the true difference is 0.15
FIGURES = 10  # in a family for Holm's correction
OURS = ("clustered_t", "cluster_bootstrap")
NAIVE = ("naive_normal", "naive_bootstrap")
Z = 1.959964


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--draws", type=int, help=f"default: {DRAWS}, quick {QUICK}")


def run(given: argparse.Namespace, settings: Settings) -> Figures:
    """Every setting in turn."""
    import numpy as np

    began = time.process_time()
    rng = np.random.default_rng(SEED)
    draws = given.draws or (QUICK if settings.quick else DRAWS)
    covered: dict[str, dict[str, float]] = {}
    for size, icc in SHAPES:
        for stories in (FEW, *STORIES):
            name = f"{size}_questions_icc_{icc}_{stories}_stories"
            covered[name] = _coverage(rng, stories, size, icc, draws)
            settings.say(f"{name}: {covered[name]}")
    many = [found for name, found in covered.items() if f"_{FEW}_stories" not in name]
    few = [found for name, found in covered.items() if f"_{FEW}_stories" in name]
    ours = [found[name] for found in many for name in OURS]
    naive = [found[name] for found in many for name in NAIVE]
    return {
        "coverage_low": min(ours),
        "coverage_high": max(ours),
        "naive_low": min(naive),
        "naive_high": max(naive),
        "percentile_low": min(found["plain_percentile"] for found in many),
        "few_low": min(found[name] for found in few for name in OURS),
        **_families(rng, draws),
        "power": _power(rng, draws),
        "draws": draws,
        "settings": covered,
        "cpu_s": round(time.process_time() - began, 1),
    }


def _coverage(rng: Any, stories: int, size: int, icc: float, draws: int) -> dict[str, float]:
    """The share of draws in which each interval holds the true difference."""
    truth = CHANCES[0] - CHANCES[2]
    hits = dict.fromkeys((*OURS, *NAIVE, "plain_percentile"), 0)
    for _ in range(draws):
        won, lost = _evaluation(rng, stories, size, icc)
        sums = _sums(won - lost, size)
        rows = list(zip(sums.tops, sums.bottoms, strict=True))
        found = ratio(sums)
        for name, (low, high) in {
            "clustered_t": (found.low, found.high),
            "cluster_bootstrap": _ends(bootstrap(rows, _mean)),
            "plain_percentile": _ends(bootstrap(rows, _mean, expanded=False)),
            **_as_independent(rng, int(won.sum()), int(lost.sum()), stories * size),
        }.items():
            hits[name] += bool(low <= truth <= high)
    return {name: round(count / draws, 4) for name, count in hits.items()}


def _as_independent(rng: Any, won: int, lost: int, count: int) -> dict[str, tuple[float, float]]:
    """What one gets who forgets the stories."""
    import numpy as np

    mean = (won - lost) / count
    half = Z * math.sqrt(((won + lost) / count - mean * mean) / (count - 1))
    again = rng.multinomial(count, [won / count, 1 - (won + lost) / count, lost / count], 2000)
    low, high = np.quantile((again[:, 0] - again[:, 2]) / count, [0.025, 0.975])
    return {"naive_normal": (mean - half, mean + half), "naive_bootstrap": (low, high)}


def _families(rng: Any, draws: int) -> Figures:
    """How often something is claimed where there is nothing."""
    even = ((CHANCES[0] + CHANCES[2]) / 2, CHANCES[1])
    corrected = plain = 0
    for _ in range(draws):
        values = [_gain(rng, 100, 5, 0.3, (even[0], even[1], even[0])).p for _ in range(FIGURES)]
        corrected += min(holm(values)) < 0.05
        plain += min(values) < 0.05
    return {
        "holm_false": round(corrected / draws, 4),
        "holm_uncorrected": round(plain / draws, 4),
    }


def _power(rng: Any, draws: int) -> float:
    """A first evaluation says how many questions the second one needs; is the difference seen?"""
    seen = 0
    matters = CHANCES[0] - CHANCES[2]
    for _ in range(draws):
        first = _gain(rng, 100, 5, 0.3, CHANCES)
        stories = round(questions_needed(first, 500, matters) / 5)
        found = _gain(rng, stories, 5, 0.3, CHANCES)
        seen += found.low > 0
    return round(seen / draws, 4)


def _gain(
    rng: Any, stories: int, size: int, icc: float, chances: tuple[float, float, float]
) -> Estimate:
    won, lost = _evaluation(rng, stories, size, icc, chances)
    return ratio(_sums(won - lost, size))


def _evaluation(
    rng: Any, stories: int, size: int, icc: float,
    chances: tuple[float, float, float] = CHANCES,
) -> tuple[Any, Any]:  # fmt: skip
    """Wins and losses of every story; their correlation within one is 1 / (sum of alphas + 1)."""
    total = 1 / icc - 1
    alphas = rng.gamma([chance * total for chance in chances], size=(stories, 3))
    shares = alphas / alphas.sum(axis=1, keepdims=True)
    counts = rng.multinomial(size, shares)
    return counts[:, 0], counts[:, 2]


def _sums(gains: Any, size: int) -> Sums:
    return Sums(tuple(map(float, gains)), (float(size),) * len(gains))


def _mean(totals: Any) -> Any:
    return totals[:, 0] / totals[:, 1]


def _ends(interval: Any) -> tuple[float, float]:
    return interval.low, interval.high
