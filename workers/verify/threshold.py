"""How sure the signals of verification must be: fitted on pairs that a person has labelled.

A logistic regression over the signals gives one probability that a pair is right; the threshold is
the one that keeps as many right pairs as asked for. Both are fitted on one half of the stories and
tried on the other, in turn, so that what is promised was seen on pairs that had no part in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

import orjson

from exchange.errors import BadFile, NotEnoughData
from exchange.files import write_atomic
from workers.verify.step import CONTRAST, LIKELIHOOD, ROUND_TRIP

FILE = "verification.json"
UNVERIFIED = "unverified"  # reason code of a pair below the threshold
FEWEST = 30  # labels of each verdict: with fewer the threshold is chance
KEPT = 0.95  # of the right pairs
RIDGE = 1.0  # keeps the weights of few labels small
Signals = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationModel:
    """Weights of the signals, the threshold, and what was seen of both on held-out halves."""

    weights: tuple[float, ...]
    threshold: float  # a probability
    labels: int
    area: float  # under the curve: how often a right pair comes before a wrong one
    right_kept: float
    wrong_kept: float

    def __str__(self) -> str:
        return (
            f"verification fitted on {self.labels} labelled pairs: a right one is above a wrong "
            f"one in {self.area:.0%} of cases; it keeps {self.right_kept:.0%} of the right pairs "
            f"and {self.wrong_kept:.0%} of the wrong ones (each seen on halves without a part in "
            "the fit)"
        )

    def probability(self, signals: Signals) -> float:
        """That a pair with these signals is right."""
        return _sigmoid(_dot(self.weights, features(signals)))

    def rejects(self, signals: Signals) -> bool:
        """True for a pair that was read back and did not hold; one without signals stays."""
        return bool(signals) and self.probability(signals) < self.threshold

    def save(self, directory: Path) -> None:
        """Write it into the archive's folder."""
        write_atomic(directory / FILE, orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """What was fitted for this archive; None when nothing was.

        Raises:
            BadFile: the file is not what `save` writes.
        """
        path = directory / FILE
        if not path.exists():
            return None
        try:
            raw = orjson.loads(path.read_bytes())
            found = cls(**{**raw, "weights": tuple(float(one) for one in raw["weights"])})
            if len(found.weights) != len(features({})) or not 0 <= found.threshold <= 1:
                raise ValueError("other signals")
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise BadFile(f"{path} is damaged ({error}): remove it, or fit it anew") from None
        return found


def features(signals: Signals) -> tuple[float, ...]:
    """A constant, and the signals between -1 and 1; 0 for one that a pair does not have."""
    return (
        1.0,
        2 * signals[ROUND_TRIP] - 1 if ROUND_TRIP in signals else 0.0,
        math.tanh(signals[CONTRAST]) if CONTRAST in signals else 0.0,
        math.tanh(signals[LIKELIHOOD] / 2 + 1) if LIKELIHOOD in signals else 0.0,
    )


class LabelledSignals(NamedTuple):
    """What was read back of a pair, and what a person said of it."""

    signals: Signals
    right: bool
    story: str  # pairs of one story are never on both sides


def fit(labelled: Sequence[LabelledSignals], kept: float = KEPT) -> VerificationModel:
    """Fit weights and threshold.

    Args:
        kept: the share of right pairs that the threshold lets pass.

    Raises:
        NotEnoughData: fewer than `FEWEST` labels of a verdict.
    """
    right = [one.right for one in labelled]
    count = sum(right)
    if min(count, len(right) - count) < FEWEST:
        raise NotEnoughData(
            f"{count} right and {len(right) - count} wrong pairs have both a label and signals: "
            f"verification is fitted on {FEWEST} of each (`kkoracle dataset review`)"
        )
    tried = try_halves(labelled, kept)
    rows = [features(one.signals) for one in labelled]
    weights = _regression(rows, right)
    own = [_sigmoid(_dot(weights, row)) for row in rows]
    passed = [one.passed for one in tried]
    return VerificationModel(
        weights=weights,
        threshold=_threshold([p for p, good in zip(own, right, strict=True) if good], kept),
        labels=len(rows),
        area=area_under_curve([one.probability for one in tried], right),
        right_kept=_share(passed, right, True),
        wrong_kept=_share(passed, right, False),
    )


class HeldOut(NamedTuple):
    """What was made of a pair by a fit on the stories of the other half."""

    probability: float
    passed: bool


def try_halves(labelled: Sequence[LabelledSignals], kept: float = KEPT) -> list[HeldOut]:
    """Fit on each half of the stories, and try it on the other; one for each pair, in order."""
    rows = [features(one.signals) for one in labelled]
    halves = _halves([one.story for one in labelled])
    found: list[HeldOut] = [HeldOut(0.0, False)] * len(rows)
    for side in (0, 1):
        known = [i for i, half in enumerate(halves) if half != side]
        weights = _regression([rows[i] for i in known], [labelled[i].right for i in known])
        own = [_sigmoid(_dot(weights, rows[i])) for i in known if labelled[i].right]
        limit = _threshold(own, kept)
        for i, half in enumerate(halves):
            if half == side:
                chance = _sigmoid(_dot(weights, rows[i]))
                found[i] = HeldOut(chance, chance >= limit)
    return found


def area_under_curve(values: Sequence[float], right: Sequence[bool]) -> float:
    """How often a right pair has the higher value than a wrong one; ties count half."""
    good = [value for value, is_right in zip(values, right, strict=True) if is_right]
    bad = [value for value, is_right in zip(values, right, strict=True) if not is_right]
    if not good or not bad:
        return math.nan
    wins = sum((a > b) + 0.5 * (a == b) for a in good for b in bad)
    return wins / (len(good) * len(bad))


def _regression(rows: Sequence[Sequence[float]], right: Sequence[bool]) -> tuple[float, ...]:
    """Ridge logistic regression by Newton's method; the constant is not held back."""
    import numpy as np

    x, y = np.asarray(rows), np.asarray(right, float)
    ridge = np.diag([0.0] + [RIDGE] * (x.shape[1] - 1)) + 1e-9 * np.eye(x.shape[1])
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (p - y) + ridge @ weights
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return tuple(float(one) for one in weights)


def _threshold(right: Sequence[float], kept: float) -> float:
    """The highest probability that still lets this share of the right pairs pass."""
    ordered = sorted(right)
    return ordered[min(len(ordered) - 1, int((1 - kept) * len(ordered)))]


def _halves(groups: Sequence[str]) -> list[int]:
    """0 or 1 for each pair, all of a story on one side, and the sides about as large."""
    sizes = Counter(groups)
    filled, side = [0, 0], {}
    for group in sorted(sizes, key=lambda one: (-sizes[one], one)):
        side[group] = int(filled[1] < filled[0])
        filled[side[group]] += sizes[group]
    return [side[group] for group in groups]


def _share(passed: Sequence[bool], right: Sequence[bool], wanted: bool) -> float:
    chosen = [one for one, is_right in zip(passed, right, strict=True) if is_right is wanted]
    return sum(chosen) / len(chosen)


def _dot(weights: Sequence[float], row: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, row, strict=True))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
