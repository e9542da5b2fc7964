"""What can be scored without reading: the mean of the question, length, a bag of words, a cosine.

A scorer that does not clearly beat length has found a shortcut, or its labels have one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from exchange.text.fold import words
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import LabelledPrediction, label

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

VOCABULARY = 500  # commonest words of the answers that are taught
RIDGE = 1.0
BLOCK = 4096  # rows whose features are held at once
BaselineKind = Literal["question", "length", "words", "guide"]
BASELINES: dict[BaselineKind, str] = {
    "question": "mean of the question",
    "length": "length alone",
    "words": "bag of words",
    "guide": "words of the guide",
}


@dataclass(slots=True)
class Baseline:
    """A fitted one."""

    kind: BaselineKind
    known: dict[str, int]
    weights: Array
    stretch: tuple[float, float]  # factor and offset
    questions: dict[str, float] = field(default_factory=dict)  # mean share of the maximum

    def shares(self, items: Sequence[ScoreItem]) -> Array:
        """The share of the maximum that it gives each item."""
        import numpy as np

        factor, offset = self.stretch
        if self.kind == "question":
            return np.array([self.questions.get(item.group, offset) for item in items])
        found: Array = _features(items, self.kind, self.known) @ self.weights * factor + offset
        return found

    def level(self, items: Sequence[ScoreItem]) -> list[int]:
        """The level it gives each item."""
        return [
            min(item.scale.top, max(0, round(float(share) * item.scale.top)))
            for item, share in zip(items, self.shares(items), strict=True)
        ]

    def outcomes(self, items: Sequence[ScoreItem]) -> list[LabelledPrediction]:
        """Labelled items beside what it gives them; it is never sure."""
        read = (LevelPrediction(level, float(level), 0.0, ()) for level in self.level(items))
        return label(items, read)


def fit_baseline(items: Sequence[ScoreItem], kind: BaselineKind) -> Baseline:
    """Fit to labelled items."""
    import numpy as np

    true = np.array([item.level / item.scale.top for item in items])
    if kind == "question":
        by_question: dict[str, list[float]] = {}
        for item, share in zip(items, true.tolist(), strict=True):
            by_question.setdefault(item.group, []).append(share)
        means = {group: sum(some) / len(some) for group, some in by_question.items()}
        return Baseline(kind, {}, np.zeros(0), (1.0, float(true.mean())), means)
    counted = Counter(word for item in items for word in set(words(item.answer)))
    common = counted.most_common(VOCABULARY if kind == "words" else 0)
    known = {word: number for number, (word, _) in enumerate(common)}
    size = _features(items[:1], kind, known).shape[1]
    squares, products = RIDGE * np.eye(size), np.zeros(size)
    squares[0, 0] = 1e-6  # the constant is not held back
    blocks = [items[first : first + BLOCK] for first in range(0, len(items), BLOCK)]
    for number, block in enumerate(blocks):
        features = _features(block, kind, known)
        squares += features.T @ features
        products += features.T @ true[number * BLOCK : number * BLOCK + len(block)]
    weights = np.linalg.solve(squares, products)
    read = np.concatenate([_features(block, kind, known) @ weights for block in blocks])
    factor = float(true.std() / read.std()) if read.std() > 1e-9 else 0.0
    return Baseline(kind, known, weights, (factor, float(true.mean() - factor * read.mean())))


def predict_left_out(
    items: Sequence[ScoreItem], folds: Sequence[int]
) -> dict[BaselineKind, list[LabelledPrediction]]:
    """What each gives every item, fitted to the other folds."""
    found: dict[BaselineKind, list[LabelledPrediction]] = {}
    for kind in BASELINES:
        given: dict[int, LabelledPrediction] = {}
        for fold in sorted(set(folds)):
            out = [number for number, own in enumerate(folds) if own == fold]
            rest = [item for item, own in zip(items, folds, strict=True) if own != fold]
            fitted = fit_baseline(rest, kind)
            given |= zip(out, fitted.outcomes([items[number] for number in out]), strict=True)
        found[kind] = [given[number] for number in range(len(items))]
    return found


def _features(items: Sequence[ScoreItem], kind: BaselineKind, known: dict[str, int]) -> Array:
    """(items, features); the first is a constant."""
    import numpy as np

    rows = np.zeros((len(items), 4 + len(known)))
    for row, item in zip(rows, items, strict=True):
        said = words(item.answer)
        row[0] = 1
        if kind == "length":
            row[1:4] = len(said), len(item.answer), len(item.answer) ** 0.5
            continue
        wanted = set(words(item.guide))
        shared = wanted.intersection(said)
        if kind == "guide":
            row[1] = len(shared) / max(1.0, (len(wanted) * len(set(said))) ** 0.5)
            continue
        row[1:4] = len(shared), len(shared) / max(1, len(wanted)), sum(w in wanted for w in said)
        for word in said:
            if word in known:
                row[4 + known[word]] += 1
    return rows
