"""The same figures over the questions that the base could not answer by itself.

What the base knew already no system had to learn or find, so it hides the difference. A question
counts as known where the base, closed book, chose the true answer or said it word for word. The
base's own choices are then wrong by the choice of questions, and whoever guessed again would seem
to gain on it: it is in no difference here, only the others are held against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainer.evaluate.records import FACT_SPLITS, Evaluation
from trainer.evaluate.report import tables
from trainer.evaluate.report.comparisons import (
    MIN_SLICE_QUESTIONS,
    SystemComparison,
    declared_comparisons,
)
from trainer.evaluate.report.verdict import EvaluationVerdict, decide_verdict

KNOWS = ("choice", "exact")  # metrics; one of them is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownQuestions:
    """What is measured where the base did not know."""

    split: str
    questions: int  # of this split that the base could not answer
    asked: int  # of this split in all
    verdict: EvaluationVerdict | None
    declared: list[SystemComparison]  # by Holm among themselves
    cells: list[tables.MetricCell]  # of all splits about the newspaper

    @property
    def means(self) -> dict[str, float]:
        """Of the main metric, by system."""
        metric = self.declared[0].metric
        return {
            name: mean
            for one in self.declared
            if one.metric == metric
            for name, mean in ((one.one, one.mean_one), (one.other, one.mean_other))
        }


def unknown_questions(
    evaluation: Evaluation, metric: str, split: str, matters: float
) -> UnknownQuestions | None:
    """The figures; None without a base, with too few such questions, or too few systems beside it.

    Args:
        metric: the one that the verdict is about.
        split: the questions that it is about.
    """
    base = next((one.name for one in evaluation.systems if one.kind == "base"), None)
    if base is None:
        return None
    answered = [evaluation.scores.get(name, {}).get(base, {}) for name in KNOWS]
    items = {
        key: item
        for key, item in evaluation.items.items()
        if item.split in FACT_SPLITS
        and any(key in values for values in answered)
        and not any(values.get(key) for values in answered)
    }
    questions = sum(item.split == split for item in items.values())
    if questions < MIN_SLICE_QUESTIONS:
        return None
    part = replace(evaluation, items=items)
    about = evaluation.about
    others = about.replace(systems=[one for one in about.systems if one["kind"] != "base"])
    declared = declared_comparisons(replace(part, about=others), split, matters)
    if not declared:
        return None
    return UnknownQuestions(
        split=split,
        questions=questions,
        asked=sum(item.split == split for item in evaluation.items.values()),
        verdict=decide_verdict(
            [one for one in evaluation.systems if one.kind != "base"],
            [one for one in declared if one.metric == metric],
        ),
        declared=declared,
        cells=tables.metric_table(part),
    )
