"""One table: the tuned scorer beside what it has to beat, on the same unseen items.

Beside it stand any base without training (zero- and few-shot), and what can be scored without
reading. A scorer that does not clearly beat that has found a shortcut, or its labels have one.
Each model has its own temperature, fitted on the same validation items. No system has seen an item
of either test; the examples of few-shot are of train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from exchange.files import write_atomic
from trainer.console import ProgressCallback
from trainer.scorer import metrics
from trainer.scorer.baselines import BASELINES, fit_baseline
from trainer.scorer.calibration import fit_temperature
from trainer.scorer.candidates.decoder import DecoderCandidate
from trainer.scorer.encode import DIGITS, Shot
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.scorer.left_out import cluster_names
from trainer.scorer.metrics import LabelledPrediction
from trainer.scorer.scoring import Scorer
from trainer.scorer.split import ScorerSplit

FILE = "eval.json"
TESTS = ("unseen_answers", "unseen_questions")
TEMPERATURE_ITEMS = 200  # of valid: enough for one number, the temperature of a base


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
    # 95 %, by bootstrap over questions; of few questions over answers
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


def evaluate_tuned(
    scorer: Scorer, parts: ScorerSplit, callback: ProgressCallback
) -> list[ScorerResult]:
    """The scorer on both tests."""
    found = []
    for test, items in held_out_parts(parts):
        outcomes = scorer.outcomes(items, progress=callback.progress("answering"))
        kept = [o for o in outcomes if o.reading.confidence >= scorer.threshold]
        entry = _result("tuned", test, items, outcomes)
        answered = round(len(kept) / len(outcomes), 4)
        found.append(replace(entry, answered=answered, answered_figures=metrics.measure(kept)))
    return found


def evaluate_base(
    base: DecoderCandidate,
    name: str,
    parts: ScorerSplit,
    counts: Sequence[int],
    callback: ProgressCallback,
) -> list[ScorerResult]:
    """A model that was never taught, with so many examples before each question.

    It knows no labels but the ten digits, so a finer scale is asked in ten steps.
    """
    found = []
    fitted = [_in_digits(item) for item in parts.valid[:TEMPERATURE_ITEMS]]
    for count in counts:
        callback.log(f"{name}, {count} examples")
        examples = pick_shots(base.prompt, [_in_digits(item) for item in parts.train], count)
        logits, _ = base.logits(fitted, examples, callback.progress("validating"))
        base.temperature = fit_temperature(
            logits, [item.scale.top for item in fitted], [item.level for item in fitted]
        )
        for test, whole in held_out_parts(parts):
            items = [_in_digits(item) for item in whole]
            readings = base.predict(items, callback.progress("answering"), examples)
            outcomes = metrics.label(items, readings)
            found.append(_result(f"{name}, {count}-shot", test, items, outcomes))
    return found


def evaluate_baselines(parts: ScorerSplit) -> list[ScorerResult]:
    """What can be scored without reading, fitted on train."""
    found = []
    for kind, name in BASELINES.items():
        fitted = fit_baseline(parts.train, kind)
        for test, items in held_out_parts(parts):
            entry = _result(name, test, items, fitted.outcomes(items))
            figures = {key: entry.figures[key] for key in ("qwk", "accuracy", "mae")}
            found.append(replace(entry, figures=figures, sure_half={}))
    return found


def _result(
    system: str, test: str, items: Sequence[ScoreItem], outcomes: Sequence[LabelledPrediction]
) -> ScorerResult:
    doubt = metrics.measure_with_doubt(outcomes, cluster_names(items))
    return ScorerResult(
        system,
        test,
        len(items),
        metrics.measure(outcomes),
        _confident_half(outcomes),
        intervals={name: (figure.low, figure.high) for name, figure in doubt.items()},
    )


def _in_digits(item: ScoreItem) -> ScoreItem:
    top = min(item.scale.top, len(DIGITS) - 1)
    return replace(item, scale=replace(item.scale, top=top))


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
