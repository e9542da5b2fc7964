"""One table: the tuned scorer beside what it has to beat, on the same unseen items.

Beside it stand any base without training (zero- and few-shot), and what can be scored without
understanding: by length alone, and by a bag of words. A scorer that does not clearly beat both has
found a shortcut, or its labels have one. Each model has its own temperature, fitted on the same
validation items. No system has seen an item of either test; the examples of few-shot are of train.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from exchange.files import write_atomic
from exchange.text.fold import words
from trainer.console import ProgressCallback
from trainer.scorer import metrics
from trainer.scorer.calibration import fit_temperature
from trainer.scorer.candidates.decoder import DecoderCandidate
from trainer.scorer.encode import Shot
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.scorer.metrics import LabelledPrediction, quadratic_kappa
from trainer.scorer.scoring import Scorer
from trainer.scorer.split import ScorerSplit

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


FILE = "eval.json"
TESTS = ("unseen_answers", "unseen_questions")
TEMPERATURE_ITEMS = (
    200  # validation items that are enough for one number, the temperature of a base
)


@dataclass(frozen=True, slots=True)
class ScorerResult:
    """One system on one test. Figures that a system cannot have are missing."""

    system: str
    test: str
    items: int
    figures: dict[str, float]  # by metric
    sure_half: dict[str, float]  # the same on the half with the higher confidence
    answered: float = 1.0  # share of items on which it does not abstain
    answered_figures: dict[str, float] | None = None  # on those


def evaluate_tuned(
    scorer: Scorer, parts: ScorerSplit, callback: ProgressCallback
) -> list[ScorerResult]:
    """The scorer on both tests."""
    found = []
    for test, items in held_out_parts(parts):
        outcomes = scorer.outcomes(items, progress=callback.progress("answering"))
        kept = [o for o in outcomes if o.reading.confidence >= scorer.threshold]
        found.append(
            ScorerResult(
                "tuned",
                test,
                len(items),
                metrics.measure(outcomes),
                _confident_half(outcomes),
                round(len(kept) / len(outcomes), 4),
                metrics.measure(kept),
            )
        )
    return found


def evaluate_base(
    base: DecoderCandidate,
    name: str,
    parts: ScorerSplit,
    counts: Sequence[int],
    callback: ProgressCallback,
) -> list[ScorerResult]:
    """A model that was never taught, with so many examples before each question."""
    found = []
    fitted = parts.valid[:TEMPERATURE_ITEMS]
    for count in counts:
        callback.log(f"{name}, {count} examples")
        examples = pick_shots(base.prompt, parts.train, count)
        logits, _ = base.logits(fitted, examples, callback.progress("validating"))
        base.temperature = fit_temperature(
            logits, [item.scale.top for item in fitted], [item.level for item in fitted]
        )
        for test, items in held_out_parts(parts):
            readings = base.predict(items, callback.progress("answering"), examples)
            outcomes = [
                LabelledPrediction(item.scale, item.level, reading)
                for item, reading in zip(items, readings, strict=True)
            ]
            found.append(
                ScorerResult(
                    f"{name}, {count}-shot",
                    test,
                    len(items),
                    metrics.measure(outcomes),
                    _confident_half(outcomes),
                )
            )
    return found


def evaluate_baselines(parts: ScorerSplit) -> list[ScorerResult]:
    """Length alone and a bag of words, fitted on train."""
    found = []
    kinds: dict[BaselineKind, str] = {"length": "length alone", "words": "bag of words"}
    for kind, name in kinds.items():
        fitted = fit_baseline(parts.train, kind)
        for test, items in held_out_parts(parts):
            qwk = round(fitted.qwk(items), 4)
            found.append(ScorerResult(name, test, len(items), {"qwk": qwk}, {}))
    return found


def held_out_parts(parts: ScorerSplit) -> list[tuple[str, list[ScoreItem]]]:
    """Both tests, without one that has no items."""
    return [(name, getattr(parts, name)) for name in TESTS if getattr(parts, name)]


def pick_shots(prompt: ScorePrompt, items: Sequence[ScoreItem], count: int) -> list[Shot]:
    """Examples from different questions, their levels spread from low to high."""
    by_level = sorted(items, key=lambda item: (item.level / item.scale.top, item.id))
    chosen: dict[str, ScoreItem] = {}
    for number in range(count):
        middle = int((number + 0.5) / count * len(by_level))
        for item in (*by_level[middle:], *by_level[:middle]):
            if item.group not in chosen or len({i.group for i in items}) <= len(chosen):
                chosen[item.group if item.group not in chosen else item.id] = item
                break
    return [(prompt.fill(item), item.level) for item in chosen.values()]


def write_results(entries: Sequence[ScorerResult], scorer: str, folder: Path) -> Path:
    """`eval.json` in the scorer's folder: entries, and how every figure was made."""
    path = folder / FILE
    raw = {
        "scorer": scorer,
        "signatures": metrics.signatures(),
        "entries": [asdict(entry) for entry in entries],
    }
    write_atomic(path, orjson.dumps(raw, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def _confident_half(outcomes: Sequence[LabelledPrediction]) -> dict[str, float]:
    ranked = sorted(outcomes, key=lambda outcome: -outcome.reading.confidence)
    return metrics.measure(ranked[: max(1, len(ranked) // 2)])
