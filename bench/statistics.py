"""Whether 95 % intervals cover the truth 95 % of the time, seen on simulated evaluations.

Base and tuned are asked the same questions of stories. Each story has its own chances that tuned
wins, ties or loses a question, drawn from a Dirichlet distribution whose spread gives the
correlation within a story (ICC); so the true difference is known, and every draw is a new
evaluation. Used are the project's own functions, on the same draws.

coverage_low, _high  lowest and highest coverage of the clustered t interval over all settings,
                     unequal stories included: 5 questions a story and ICC 0.3, 10 and 0.5; 20, 50,
                     100 and 300 stories; the draws' own error is about half a point
bootstrap_low, _high   of the cluster bootstrap with 50, 100 and 300 equal stories
naive_low, _high     the same of intervals that take questions for independent draws, by normal
                     quantiles and by a bootstrap of questions
percentile_low       lowest coverage of the plain percentile bootstrap of stories
few_low              lowest coverage of both with 20 stories, for which the report warns
unequal_low, _high   coverage of the clustered t interval where stories are unequal: one of 20 or of
                     50 with half of the questions; 30 stories of 40 * 0.9^i; 12 of 1 to 20; 50 and
                     20 of lognormal size; 50 of 1 to 9 and of 1 to 19
unequal_bootstrap_low, _high   of the cluster bootstrap; one story with half makes it too wide
old_low              lowest of the same with G-1 degrees of freedom and the factor G/(G-1)
false_claims         the largest share of a difference claimed where there is none, by the clustered
                     t interval over every setting above, stories few and many, equal and unequal
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
    t_quantile,
)
from trainer.statistics.clustered import LEVEL

SEED = 7
NOT_FOR_JUDGING = ("*_low", "*_high", "holm_*", "power", "settings")
DRAWS, QUICK = 2000, 200
CLAIMED = 5  # times as many to see false claims: the largest of many shares is mostly its luck
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
    size: int  # questions a story; of those spread evenly the mean
    icc: float
    spread: str = "equal"

    @property
    def name(self) -> str:
        return f"{self.spread}_{self.stories}_stories_{self.size}_questions_icc_{self.icc}"

    def sizes(self, rng: Any) -> Any:
        """How many questions each story has, shape (stories,)."""
        import numpy as np

        sizes = np.full(self.stories, self.size)
        if self.spread == "half":  # the first has as many as all others
            sizes[0] = self.size * (self.stories - 1)
        elif self.spread == "even":
            sizes = rng.integers(1, 2 * self.size, self.stories)
        elif self.spread == "geometric":
            sizes = np.maximum(1, np.round(40 * 0.9 ** np.arange(self.stories))).astype(int)
        elif self.spread == "lognormal":
            drawn = rng.lognormal(math.log(self.size), 1.0, self.stories)
            sizes = np.maximum(1, np.round(drawn)).astype(int)
        return sizes


EQUAL = [_StoryShape(count, size, icc) for size, icc in SHAPES for count in (FEW, *STORIES)]
UNEQUAL = [
    _StoryShape(count, size, icc, spread)
    for size, icc in SHAPES
    for spread, count in (
        ("even", 50),
        ("half", 20),
        ("half", 50),
        ("geometric", 30),
        ("lognormal", 20),
        ("lognormal", 50),
    )
] + [_StoryShape(12, 10, icc, "even") for _, icc in SHAPES]


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--draws", type=int, help=f"default: {DRAWS}, quick {QUICK}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Every setting in turn."""
    import numpy as np

    began = time.process_time()
    rng = np.random.default_rng(SEED)
    draws = args.draws or (QUICK if settings.quick else DRAWS)
    covered: dict[_StoryShape, dict[str, float]] = {}
    for shape in (*EQUAL, *UNEQUAL):
        covered[shape] = _coverage(rng, shape, draws)
        settings.log(f"{shape.name}: {covered[shape]}")
    many = [found for shape, found in covered.items() if shape in EQUAL and shape.stories > FEW]
    few = [found for shape, found in covered.items() if shape in EQUAL and shape.stories == FEW]
    unequal = [covered[shape] for shape in UNEQUAL]
    claims = {shape.name: _false_claims(rng, shape, CLAIMED * draws) for shape in covered}
    return {
        **_ends("coverage", list(covered.values()), ("clustered_t",)),
        **_ends("bootstrap", many, ("cluster_bootstrap",)),
        **_ends("naive", many, NAIVE),
        "percentile_low": min(found["plain_percentile"] for found in many),
        "few_low": _ends("few", few, OURS)["few_low"],
        **_ends("unequal", unequal, ("clustered_t",)),
        **_ends("unequal_bootstrap", unequal, ("cluster_bootstrap",)),
        "old_low": min(found["old"] for found in unequal),
        "false_claims": max(claims.values()),
        **_families(rng, draws),
        "power": _power(rng, draws),
        "draws": draws,
        "settings": {shape.name: found for shape, found in covered.items()},
        "claims": claims,
        "cpu_s": round(time.process_time() - began, 1),
    }


def _ends(name: str, found: list[dict[str, float]], kinds: tuple[str, ...]) -> Figures:
    """The lowest and the highest coverage."""
    values = [one[kind] for one in found for kind in kinds]
    return {f"{name}_low": min(values), f"{name}_high": max(values)}


def _coverage(rng: Any, shape: _StoryShape, draws: int) -> dict[str, float]:
    """The share of draws in which each interval holds the true difference."""
    truth = CHANCES[0] - CHANCES[2]
    hits = dict.fromkeys((*OURS, *NAIVE, "plain_percentile", "old"), 0)
    for _ in range(draws):
        won, lost, sizes = _evaluation(rng, shape)
        sums = _sums(won - lost, sizes)
        rows = list(zip(sums.tops, sums.bottoms, strict=True))
        found = clustered_ratio(sums)
        wide, plain = (
            bootstrap_interval(rows, _mean, expanded=expanded, sizes=sums.bottoms)
            for expanded in (True, False)
        )
        for name, (low, high) in {
            "clustered_t": (found.low, found.high),
            "cluster_bootstrap": (wide.low, wide.high),
            "plain_percentile": (plain.low, plain.high),
            "old": _old_interval(sums, found.mean),
            **_as_independent(rng, int(won.sum()), int(lost.sum()), int(sizes.sum())),
        }.items():
            hits[name] += bool(low <= truth <= high)
    return {name: round(count / draws, 4) for name, count in hits.items()}


def _old_interval(sums: ClusterSums, mean: float) -> tuple[float, float]:
    """G-1 degrees of freedom whatever the sizes, as Miller (2024) has it for equal ones."""
    count, total = len(sums.tops), sum(sums.bottoms)
    squares = sum((t - mean * n) ** 2 for t, n in zip(sums.tops, sums.bottoms, strict=True))
    error = math.sqrt(count / (count - 1) * squares) / total
    half = t_quantile((1 + LEVEL) / 2, count - 1) * error
    return mean - half, mean + half


def _false_claims(rng: Any, shape: _StoryShape, draws: int) -> float:
    """How often the interval leaves zero out where neither system is better."""
    even = (CHANCES[0] + CHANCES[2]) / 2
    gains = (_gain(rng, shape, (even, CHANCES[1], even)) for _ in range(draws))
    return round(sum(not gain.low <= 0 <= gain.high for gain in gains) / draws, 4)


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
    sizes = shape.sizes(rng)
    counts = rng.multinomial(sizes, shares)
    return counts[:, 0], counts[:, 2], sizes


def _sums(gains: Any, sizes: Any) -> ClusterSums:
    return ClusterSums(tuple(map(float, gains)), tuple(map(float, sizes)))


def _mean(totals: Any) -> Any:
    return totals[:, 0] / totals[:, 1]
