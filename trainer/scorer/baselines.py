"""What can be scored without understanding: by length alone, and by a bag of words.

A scorer that does not clearly beat both has found a shortcut, or its labels have one. Both are
ridge regressions of the score's share of its maximum, and their output is stretched to the spread
of the true scores: shrunken predictions would make a baseline look worse than it ranks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from exchange.text.fold import words
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import quadratic_kappa

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

VOCABULARY = 500  # commonest words of the answers that are taught
RIDGE = 1.0
BLOCK = 4096  # rows whose features are held at once
BaselineKind = Literal["length", "words"]


@dataclass(slots=True)
class Baseline:
    """A fitted one."""

    kind: BaselineKind
    known: dict[str, int]
    weights: Array
    stretch: tuple[float, float]  # factor and offset

    def level(self, items: Sequence[ScoreItem]) -> list[int]:
        """The level it gives each item."""
        factor, offset = self.stretch
        shares = _features(items, self.kind, self.known) @ self.weights * factor + offset
        return [
            min(item.scale.top, max(0, round(float(share) * item.scale.top)))
            for item, share in zip(items, shares, strict=True)
        ]

    def qwk(self, items: Sequence[ScoreItem]) -> float:
        """Quadratic weighted kappa on labelled items."""
        read = [
            level / item.scale.top for level, item in zip(self.level(items), items, strict=True)
        ]
        return quadratic_kappa([item.level / item.scale.top for item in items], read)


def fit_baseline(items: Sequence[ScoreItem], kind: BaselineKind) -> Baseline:
    """Fit to labelled items."""
    import numpy as np

    counted = Counter(word for item in items for word in set(words(item.answer)))
    common = counted.most_common(VOCABULARY if kind == "words" else 0)
    known = {word: number for number, (word, _) in enumerate(common)}
    true = np.array([item.level / item.scale.top for item in items])
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
        row[1:4] = len(shared), len(shared) / max(1, len(wanted)), sum(w in wanted for w in said)
        for word in said:
            if word in known:
                row[4 + known[word]] += 1
    return rows
