"""From the records of an evaluation to everything that a report says; pure, no disk."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.evaluate.records import About, Audit, Evaluation, Metric, System
from trainer.evaluate.report import calibration, cells, costs, flips, gate, judged, slices, splits
from trainer.evaluate.report.comparisons import BESIDE, MATTERS, Comparison, declared, make, pairs
from trainer.evaluate.report.surroundings import Surroundings
from trainer.evaluate.report.verdict import Verdict, decide
from trainer.evaluate.statistics import FEW_CLUSTERS

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may set."""

    goal: str = ""  # the use case, in the person's words
    language: str = "el"  # shown first
    matters: float = MATTERS
    watts: float = costs.WATTS


@dataclass(frozen=True, slots=True)
class Report:
    """All figures; `report.json` holds exactly this."""

    format: int
    choices: Choices
    verdict: Verdict | None
    sentence: str
    gate: list[gate.Check]
    warnings: list[str]  # of the evaluation and the dataset
    few: int  # stories compared, where they are too few to trust an interval; 0 otherwise
    declared: list[Comparison]  # the primary set, on the split that the verdict is about
    beside: list[Comparison]  # everything else: other metrics, splits and pairs
    cells: list[cells.Cell]
    slices: list[slices.Slice]
    flips: flips.Flips | None
    calibration: list[calibration.Calibration]
    audit: Audit | None
    caught: list[judged.Caught]
    judged: list[judged.Judged]
    training: costs.Training | None
    answering: list[costs.Answering]
    surroundings: Surroundings
    about: About

    @property
    def systems(self) -> list[System]:
        """In the order to be shown."""
        return [System.from_dict(raw) for raw in self.about.systems]

    @property
    def metrics(self) -> list[Metric]:
        """In the order to be shown; the first one is the main one."""
        return [Metric.from_dict(raw) for raw in self.about.metrics]

    @property
    def passed(self) -> bool:
        """The gate: nothing that is guarded was lost."""
        return all(check.passed for check in self.gate)

    def comparison(self, metric: str, split: str, one: str, other: str) -> Comparison | None:
        """One of all those that were made."""
        for found in (*self.declared, *self.beside):
            if (found.metric, found.split, found.one, found.other) == (metric, split, one, other):
                return found
        return None


def report(evaluation: Evaluation, around: Surroundings, choices: Choices) -> Report:
    """Compute everything. The main metric is the first primary one; without any, the first."""
    main = next((one for one in evaluation.metrics if one.primary), evaluation.metrics[0])
    split = splits.main(evaluation)
    primary = declared(evaluation, split, choices.matters)
    verdict = decide(evaluation.systems, [one for one in primary if one.metric == main.name])
    tuned = next(iter(pairs(evaluation.systems, [("tuned", "base")])), None)
    return Report(
        FORMAT,
        choices,
        verdict,
        verdict.sentence if verdict else "not decided: fewer than two systems were compared",
        gate.check(evaluation),
        list(dict.fromkeys([*evaluation.about.warnings, *around.dataset_warnings])),
        _few(primary),
        primary,
        _beside(evaluation, split, primary, choices.matters),
        cells.table(evaluation),
        slices.slices(evaluation, main, split, *tuned) if tuned else [],
        flips.flips(evaluation, main, split, *tuned) if tuned else None,
        [
            found
            for metric in evaluation.metrics
            for system in evaluation.systems
            if (found := calibration.calibration(evaluation, metric, system.name, split))
        ],
        evaluation.audit,
        judged.caught(evaluation),
        judged.preferences(evaluation),
        costs.training(around.summary, choices.watts),
        costs.answering(evaluation, choices.watts),
        around,
        evaluation.about,
    )


def _beside(
    evaluation: Evaluation, split: str, primary: list[Comparison], matters: float
) -> list[Comparison]:
    """Tuned against base everywhere, and other pairs of interest; no claim rests on them."""
    done = {(one.metric, one.split, one.one, one.other) for one in primary}
    kinds = [("tuned", "base"), ("tuned+rag", "rag"), ("rag", "base"), *BESIDE]
    return [
        found
        for metric in evaluation.metrics
        for name in splits.of(evaluation)
        for one, other in pairs(evaluation.systems, kinds)
        if (metric.name, name, one, other) not in done
        and (found := make(evaluation, metric, name, one, other, matters))
    ]


def _few(primary: list[Comparison]) -> int:
    fewest = min((one.stories for one in primary), default=FEW_CLUSTERS)
    return fewest if fewest < FEW_CLUSTERS else 0
