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
uneven_low, _high    the same as coverage_low, _high with 50 stories of 1 to 9 and of 1 to 19
                     questions each
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
from dataclasses import dataclass
from typing import Any

from bench.registry import BenchSettings, Figures
from trainer.statistics import (
    ClusteredEstimate,
    ClusterSums,
    bootstrap_interval,
    clustered_ratio,
    holm_adjust,
    questions_needed,
)
from trainer.statistics.clustered import LEVEL

SEED = 7
NOT_FOR_JUDGING = ("*_low", "*_high", "holm_*", "power", "settings")
DRAWS, QUICK = 2000, 200
SHAPES = ((5, 0.3), (10, 0.5))  # questions a story, ICC
STORIES = (50, 100, 300)
FEW = 20
CHANCES = (0.25, 0.65, 0.10)  # of a win, a tie, a loss: the true difference is 0.15
FIGURES = 10  # in a family for Holm's correction
OURS = ("clustered_t", "cluster_bootstrap")
NAIVE = ("naive_normal", "naive_bootstrap")
Z = 1.959964
RESAMPLED = 2000  # as many as the project's own bootstrap draws


@dataclass(frozen=True, slots=True)
class _StoryShape:
    """How the questions of one evaluation lie in stories."""

    stories: int
    size: int  # questions a story; of uneven ones the mean
    icc: float
    uneven: bool = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--draws", type=int, help=f"default: {DRAWS}, quick {QUICK}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Every setting in turn."""
    import numpy as np

    began = time.process_time()
    rng = np.random.default_rng(SEED)
    draws = args.draws or (QUICK if settings.quick else DRAWS)
    covered: dict[str, dict[str, float]] = {}
    for size, icc in SHAPES:
        for stories, varied in (
            (FEW, False),
            *((count, False) for count in STORIES),
            (STORIES[0], True),
        ):
            name = f"{size}_questions_icc_{icc}_{stories}_stories" + "_uneven" * varied
            covered[name] = _coverage(rng, _StoryShape(stories, size, icc, varied), draws)
            settings.log(f"{name}: {covered[name]}")
    few = [found for name, found in covered.items() if f"_{FEW}_stories" in name]
    uneven = [found for name, found in covered.items() if name.endswith("_uneven")]
    many = [
        found
        for name, found in covered.items()
        if name.endswith("_stories") and f"_{FEW}_stories" not in name
    ]
    return {
        **_ends("coverage", many, OURS),
        **_ends("naive", many, NAIVE),
        "percentile_low": min(found["plain_percentile"] for found in many),
        "few_low": _ends("few", few, OURS)["few_low"],
        **_ends("uneven", uneven, OURS),
        **_families(rng, draws),
        "power": _power(rng, draws),
        "draws": draws,
        "settings": covered,
        "cpu_s": round(time.process_time() - began, 1),
    }


def _ends(name: str, found: list[dict[str, float]], kinds: tuple[str, ...]) -> Figures:
    """The lowest and the highest coverage."""
    values = [one[kind] for one in found for kind in kinds]
    return {f"{name}_low": min(values), f"{name}_high": max(values)}


def _coverage(rng: Any, shape: _StoryShape, draws: int) -> dict[str, float]:
    """The share of draws in which each interval holds the true difference."""
    truth = CHANCES[0] - CHANCES[2]
    hits = dict.fromkeys((*OURS, *NAIVE, "plain_percentile"), 0)
    for _ in range(draws):
        won, lost, sizes = _evaluation(rng, shape)
        sums = _sums(won - lost, sizes)
        rows = list(zip(sums.tops, sums.bottoms, strict=True))
        found = clustered_ratio(sums)
        wide, plain = (
            bootstrap_interval(rows, _mean, expanded=expanded) for expanded in (True, False)
        )
        for name, (low, high) in {
            "clustered_t": (found.low, found.high),
            "cluster_bootstrap": (wide.low, wide.high),
            "plain_percentile": (plain.low, plain.high),
            **_as_independent(rng, int(won.sum()), int(lost.sum()), int(sizes.sum())),
        }.items():
            hits[name] += bool(low <= truth <= high)
    return {name: round(count / draws, 4) for name, count in hits.items()}


def _as_independent(rng: Any, won: int, lost: int, count: int) -> dict[str, tuple[float, float]]:
    """What one gets who forgets the stories."""
    import numpy as np

    mean = (won - lost) / count
    half = Z * math.sqrt(((won + lost) / count - mean * mean) / (count - 1))
    again = rng.multinomial(count, [won / count, 1 - (won + lost) / count, lost / count], RESAMPLED)
    low, high = np.quantile((again[:, 0] - again[:, 2]) / count, [0.025, 0.975])
    return {"naive_normal": (mean - half, mean + half), "naive_bootstrap": (low, high)}


def _families(rng: Any, draws: int) -> Figures:
    """How often something is claimed where there is nothing."""
    even = (CHANCES[0] + CHANCES[2]) / 2
    corrected = plain = 0
    for _ in range(draws):
        values = [
            _gain(rng, _StoryShape(100, *SHAPES[0]), (even, CHANCES[1], even)).p
            for _ in range(FIGURES)
        ]
        corrected += min(holm_adjust(values)) < 1 - LEVEL
        plain += min(values) < 1 - LEVEL
    return {
        "holm_false": round(corrected / draws, 4),
        "holm_uncorrected": round(plain / draws, 4),
    }


def _power(rng: Any, draws: int) -> float:
    """A first evaluation says how many questions the second one needs; is the difference seen?"""
    seen = 0
    size, icc = SHAPES[0]
    for _ in range(draws):
        first = _gain(rng, _StoryShape(100, size, icc))
        wanted = questions_needed(first, 100 * size, CHANCES[0] - CHANCES[2])
        seen += _gain(rng, _StoryShape(round(wanted / size), size, icc)).low > 0
    return round(seen / draws, 4)


def _gain(
    rng: Any, shape: _StoryShape, chances: tuple[float, float, float] = CHANCES
) -> ClusteredEstimate:
    won, lost, sizes = _evaluation(rng, shape, chances)
    return clustered_ratio(_sums(won - lost, sizes))


def _evaluation(
    rng: Any, shape: _StoryShape, chances: tuple[float, float, float] = CHANCES
) -> tuple[Any, Any, Any]:
    """Wins, losses and questions of every story; their correlation within one is
    1 / (sum of alphas + 1)."""
    total = 1 / shape.icc - 1
    alphas = rng.gamma([chance * total for chance in chances], size=(shape.stories, 3))
    shares = alphas / alphas.sum(axis=1, keepdims=True)
    sizes = (
        rng.integers(1, 2 * shape.size, shape.stories)
        if shape.uneven
        else (rng.integers(shape.size, shape.size + 1, shape.stories))
    )
    counts = rng.multinomial(sizes, shares)
    return counts[:, 0], counts[:, 2], sizes


def _sums(gains: Any, sizes: Any) -> ClusterSums:
    return ClusterSums(tuple(map(float, gains)), tuple(map(float, sizes)))


def _mean(totals: Any) -> Any:
    return totals[:, 0] / totals[:, 1]
