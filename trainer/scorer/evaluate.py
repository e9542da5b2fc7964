"""One table: the tuned scorer beside what it has to beat, on the same unseen items.

Beside it stand any base without training (zero- and few-shot), and what needs no model: length
and a bag of words. Each model has its own temperature, fitted on the same validation items. No
system has seen an item of either test; the examples of few-shot are of train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from exchange.files import write_atomic
from trainer.progress import ProgressCallback
from trainer.scorer import baselines, calibration, metrics
from trainer.scorer.head import Shot
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.scorer.metrics import LabelledPrediction
from trainer.scorer.scoring import Scorer
from trainer.scorer.split import ScorerSplit

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
    scorer: Scorer, name: str, parts: ScorerSplit, counts: Sequence[int], callback: ProgressCallback
) -> list[ScorerResult]:
    """A model that was never taught, with so many examples before each question."""
    found = []
    fitted = parts.valid[:TEMPERATURE_ITEMS]
    for count in counts:
        callback.log(f"{name}, {count} examples")
        examples = pick_shots(scorer.prompt, parts.train, count)
        logits, _ = scorer.logits(fitted, examples, callback.progress("validating"))
        scorer.temperature = calibration.fit_temperature(
            logits, [item.scale.top for item in fitted], [item.level for item in fitted]
        )
        for test, items in held_out_parts(parts):
            outcomes = scorer.outcomes(items, examples, callback.progress("answering"))
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
    for kind, name in (("length", "length alone"), ("words", "bag of words")):
        fitted = baselines.fit_baseline(parts.train, kind)  # type: ignore[arg-type]
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
