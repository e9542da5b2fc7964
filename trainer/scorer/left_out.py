"""What a fit says of answers that it did not see: folds, and one prediction for every answer.

Folds are whole questions, since what a scorer is worth shows on questions that it never saw; of few
questions whole answers. Answers to one question rise and fall together, so intervals draw whole
questions too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.dataset.split import hash_fraction
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.candidates.heads import MarkCurve, RidgeHead
from trainer.scorer.candidates.regression import AnswerView, FeatureScale, RegressionPart
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import LabelledPrediction, label

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FOLDS = 10
GROUPED = 5  # questions, from which on whole questions are left out
MOST = 4000  # rows of a regression; of more a fixed draw is taken


@dataclass(slots=True)
class LeftOutView:
    """A view over all rows, with what it says of each from fits without it."""

    view: AnswerView
    features: Array
    scale: FeatureScale
    numbers: list[Array]  # by unseen questions, by unseen answers
    seconds: float


def draw(items: Sequence[ScoreItem], key: str) -> list[ScoreItem]:
    """At most `MOST` of them, the same ones each time."""
    if len(items) <= MOST:
        return list(items)
    order = sorted(
        range(len(items)), key=lambda number: hash_fraction(f"{number} {items[number].id}", key)
    )
    return [items[number] for number in sorted(order[:MOST])]


def cluster_names(items: Sequence[ScoreItem]) -> list[str]:
    """What rises and falls together: a question's answers; of few questions every answer."""
    if len({item.group for item in items}) >= 2 * GROUPED:
        return [item.group for item in items]
    return [str(number) for number in range(len(items))]


def fold_numbers(items: Sequence[ScoreItem], key: str, *, by_question: bool = True) -> list[int]:
    """The fold of each item: whole questions where there are enough, else whole answers."""
    groups = [item.group for item in items]
    if not by_question or len(set(groups)) < GROUPED:
        groups = [f"{item.group} {' '.join(item.answer.split())}" for item in items]
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    count = min(FOLDS, len(sizes))
    filled, fold = [0] * count, {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], hash_fraction(name, key))):
        fold[group] = filled.index(min(filled))
        filled[fold[group]] += sizes[group]
    return [fold[group] for group in groups]


def leave_out(
    view: AnswerView, items: Sequence[ScoreItem], shares: Array, folds: Sequence[Sequence[int]]
) -> LeftOutView:
    """Fit a view once for each fold, and have each fit say what it says of the rows it missed.

    Args:
        shares: of the maximum that each item earned.
        folds: ways to divide the items, one number an item.
    """
    started = time.process_time()
    numbers, vectors = view.features(items)
    scale = FeatureScale.of(numbers)  # of no label, so that every row may be in it
    features = scale.apply(view, numbers, vectors)
    rows, size = features.shape
    between = features @ features.T if size > rows else None
    found = [_predict_left_out(view, features, between, shares, one) for one in folds]
    return LeftOutView(view, features, scale, found, time.process_time() - started)


def _predict_left_out(
    view: AnswerView,
    features: Array,
    between: Array | None,
    shares: Array,
    folds: Sequence[int],
) -> Array:
    import numpy as np

    found = np.zeros(len(shares))
    for fold in sorted(set(folds)):
        out = np.array(folds) == fold
        if between is None:
            head = RidgeHead.fit(features[~out], shares[~out], view.penalty)
            found[out] = head(features[out])
        else:
            found[out] = _kernel_ridge(between, out, shares, view.penalty)
    return found


def _kernel_ridge(between: Array, out: Array, shares: Array, penalty: float) -> Array:
    """`RidgeHead` fitted to the other rows, by the products of all rows, which it computes once."""
    import numpy as np

    inside = between[np.ix_(~out, ~out)].astype(np.float64)
    across = between[np.ix_(out, ~out)].astype(np.float64)
    columns, offset = inside.mean(axis=0), shares[~out].mean()
    across = across - across.mean(axis=1, keepdims=True) - columns + columns.mean()
    inside = inside - columns[:, None] - columns + columns.mean()
    inside[np.diag_indices_from(inside)] += penalty
    found: Array = across @ np.linalg.solve(inside, shares[~out] - offset) + offset
    return found


def standard(numbers: Array) -> Array:
    """With a mean of 0 and a deviation of 1, so that several views can be averaged."""
    found: Array = (numbers - numbers.mean()) / max(float(numbers.std()), 1e-9)
    return found


def read_left_out(
    numbers: Array, items: Sequence[ScoreItem], folds: Sequence[int]
) -> list[LabelledPrediction]:
    """Each item read by a curve that was fitted to the other folds."""
    import numpy as np

    found: dict[int, LevelPrediction] = {}
    for fold in sorted(set(folds)):
        out = np.array(folds) == fold
        rest = [item for item, own in zip(items, folds, strict=True) if own != fold]
        some = [item for item, own in zip(items, folds, strict=True) if own == fold]
        curve = MarkCurve.fit(numbers[~out], rest)
        read = curve.read(numbers[out], some)
        found |= zip(np.flatnonzero(out).tolist(), read, strict=True)
    return label(items, (found[number] for number in range(len(items))))


def fit_part(held: LeftOutView, shares: Array) -> RegressionPart:
    """The view fitted to all rows, in units of what it said of the questions it had not seen."""
    head = RidgeHead.fit(held.features, shares, held.view.penalty)
    left_out = held.numbers[0]
    middle, spread = float(left_out.mean()), max(float(left_out.std()), 1e-9)
    return RegressionPart(held.view, held.scale, head, middle, spread)
