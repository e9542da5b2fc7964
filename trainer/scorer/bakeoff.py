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

from trainer import runs
from trainer.scorer import baselines, calibration, metrics
from trainer.scorer.head import Shot
from trainer.scorer.items import Item
from trainer.scorer.metrics import Outcome
from trainer.scorer.prompts import Prompt
from trainer.scorer.scoring import Scorer
from trainer.scorer.split import Split
from trainer.watch import Watcher

FILE = "eval.json"
TESTS = ("unseen_answers", "unseen_questions")
FITTED = 200  # validation items that are enough for one number, the temperature of a base


@dataclass(frozen=True, slots=True)
class Entry:
    """One system on one test. Figures that a system cannot have are missing."""

    system: str
    test: str
    items: int
    figures: dict[str, float]  # by metric
    sure_half: dict[str, float]  # the same on the half with the higher confidence
    answered: float = 1.0  # share of items on which it does not abstain
    answered_figures: dict[str, float] | None = None  # on those


def tuned(scorer: Scorer, parts: Split, watcher: Watcher) -> list[Entry]:
    """The scorer on both tests."""
    found = []
    for test, items in tests(parts):
        outcomes = scorer.outcomes(items, progress=watcher.answering)
        kept = [o for o in outcomes if o.reading.confidence >= scorer.threshold]
        found.append(
            Entry(
                "tuned",
                test,
                len(items),
                metrics.measure(outcomes),
                _sure_half(outcomes),
                round(len(kept) / len(outcomes), 4),
                metrics.measure(kept),
            )
        )
    return found


def base(
    scorer: Scorer, name: str, parts: Split, counts: Sequence[int], watcher: Watcher
) -> list[Entry]:
    """A model that was never taught, with so many examples before each question."""
    found = []
    fitted = parts.valid[:FITTED]
    for count in counts:
        watcher.note(f"{name}, {count} examples")
        examples = shots(scorer.prompt, parts.train, count)
        logits, _ = scorer.logits(fitted, examples, watcher.validating)
        scorer.temperature = calibration.temperature(
            logits, [item.scale.top for item in fitted], [item.level for item in fitted]
        )
        for test, items in tests(parts):
            outcomes = scorer.outcomes(items, examples, watcher.answering)
            found.append(
                Entry(
                    f"{name}, {count}-shot",
                    test,
                    len(items),
                    metrics.measure(outcomes),
                    _sure_half(outcomes),
                )
            )
    return found


def simple(parts: Split) -> list[Entry]:
    """Length alone and a bag of words, fitted on train."""
    found = []
    for kind, name in (("length", "length alone"), ("words", "bag of words")):
        fitted = baselines.fit(parts.train, kind)  # type: ignore[arg-type]
        for test, items in tests(parts):
            qwk = round(fitted.qwk(items), 4)
            found.append(Entry(name, test, len(items), {"qwk": qwk}, {}))
    return found


def tests(parts: Split) -> list[tuple[str, list[Item]]]:
    """Both tests, without one that has no items."""
    return [(name, getattr(parts, name)) for name in TESTS if getattr(parts, name)]


def shots(prompt: Prompt, items: Sequence[Item], count: int) -> list[Shot]:
    """Examples from different questions, their levels spread from low to high."""
    by_level = sorted(items, key=lambda item: (item.level / item.scale.top, item.id))
    chosen: dict[str, Item] = {}
    for number in range(count):
        middle = int((number + 0.5) / count * len(by_level))
        for item in (*by_level[middle:], *by_level[:middle]):
            if item.group not in chosen or len({i.group for i in items}) <= len(chosen):
                chosen[item.group if item.group not in chosen else item.id] = item
                break
    return [(prompt.fill(item), item.level) for item in chosen.values()]


def write(entries: Sequence[Entry], scorer: str, folder: Path) -> Path:
    """`eval.json` in the scorer's folder: entries, and how every figure was made."""
    path = folder / FILE
    raw = {
        "scorer": scorer,
        "signatures": metrics.signatures(),
        "entries": [asdict(entry) for entry in entries],
    }
    runs.write(path, orjson.dumps(raw, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def _sure_half(outcomes: Sequence[Outcome]) -> dict[str, float]:
    ranked = sorted(outcomes, key=lambda outcome: -outcome.reading.confidence)
    return metrics.measure(ranked[: max(1, len(ranked) // 2)])
