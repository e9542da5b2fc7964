"""From the records of an evaluation, and what lies around it, to everything that a report says.

`read_context` reads the run, its losses and the archive; `build_report` is pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from exchange.errors import UserError
from exchange.project import Project
from exchange.settings import PersonaSettings
from trainer.console import StageProgress
from trainer.dataset import Manifest, archive_stats
from trainer.dataset.build import FOLDER
from trainer.evaluate.records import Evaluation, EvaluationInfo, JudgeAudit, MetricInfo, SystemInfo
from trainer.evaluate.report import answers, comparisons, strings, tables
from trainer.evaluate.report import verdict as verdicts
from trainer.evaluate.report.comparisons import (
    MIN_DIFFERENCE,
    SECONDARY,
    SystemComparison,
    compare_systems,
    declared_comparisons,
    system_pairs,
)
from trainer.evaluate.report.selective import (
    SelectiveAnswers,
    StrengthTable,
    selective_answers,
    strength_table,
)
from trainer.evaluate.report.unknown import UnknownQuestions, unknown_questions
from trainer.evaluate.settings import EvaluateSettings
from trainer.statistics import FEW_CLUSTERS
from trainer.training.runs import RunSummary, TrainingRun

T = TypeVar("T")
Point = tuple[int, float]  # step, nats per answer token


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Read from the data folder; each part may be missing."""

    summary: RunSummary | None = None
    train_losses: list[Point] = field(default_factory=list)
    valid_losses: list[Point] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)  # columns of the coverage
    stories: dict[str, list[int]] = field(default_factory=dict)  # year -> stories by section
    splits: dict[str, int] = field(default_factory=dict)  # rows of the dataset
    dataset_warnings: list[str] = field(default_factory=list)
    valid: str = ""  # what the rows are that were validated on; "" where nobody knows


def read_context(archive_dir: Path, run: str, progress: StageProgress) -> ReportContext:
    """What is there; an evaluation of rows from elsewhere has no archive around it."""
    of = TrainingRun(archive_dir, run)
    summary = _or_none(lambda: RunSummary.read(of.folder))
    train, valid = of.metrics()
    counted = _or_none(lambda: archive_stats.read_statistics(archive_dir, None, progress))
    sections, stories = archive_stats.coverage_grid(counted) if counted else ([], {})
    manifest = _or_none(lambda: Manifest.read(archive_dir / FOLDER))
    splits = {name: of["rows"] for name, of in manifest.splits.items()} if manifest else {}
    return ReportContext(
        summary,
        train,
        valid,
        sections,
        stories,
        splits,
        manifest.warnings if manifest else [],
        manifest.valid_kind if manifest else "",
    )


def _or_none(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except UserError:
        return None


FORMAT = 1


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a person may set."""

    goal: str = ""  # the use case, in the person's words
    language: str = "el"  # that the page opens in
    archive_language: str = "el"
    matters: float = MIN_DIFFERENCE
    watts: float = tables.WATTS

    @classmethod
    def of(cls, project: Project, archive: str | None, settings: EvaluateSettings) -> Self:
        """As the settings say.

        Raises:
            UsageError: the report is not there in the language that was set.
        """
        spoken = project.language(archive)
        return cls(
            project.config.table("persona", PersonaSettings).goal,
            strings.reader_language(settings.report_language, spoken),
            spoken,
            settings.matters,
            settings.watts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """All figures; `report.json` holds exactly this."""

    format: int
    choices: ReportOptions
    verdict: verdicts.EvaluationVerdict | None
    sentence: str
    gate: list[verdicts.GateCheck]
    warnings: list[str]  # of the evaluation and the dataset
    few: int  # stories compared, where they are too few to trust an interval; 0 otherwise
    declared: list[SystemComparison]  # the primary set, on the split that the verdict is about
    beside: list[SystemComparison]  # everything else: other metrics, splits and pairs
    cells: list[tables.MetricCell]
    unknown: UnknownQuestions | None  # the same where the base did not know
    periods: list[tables.PeriodFigures]  # where the dataset is as of a day
    slices: list[comparisons.SliceComparison]
    flips: answers.FlippedAnswers | None
    calibration: list[answers.CalibrationCurve]
    selective: list[SelectiveAnswers]  # of systems that may withhold answers
    strength: StrengthTable | None
    audit: JudgeAudit | None
    caught: list[tables.FaultDetection]
    judged: list[tables.JudgePreference]
    training: tables.TrainingCost | None
    answering: list[tables.AnswerCost]
    surroundings: ReportContext
    about: EvaluationInfo

    @property
    def systems(self) -> list[SystemInfo]:
        """In the order to be shown."""
        return [SystemInfo.from_dict(raw) for raw in self.about.systems]

    @property
    def metrics(self) -> list[MetricInfo]:
        """In the order to be shown; the first one is the main one."""
        return [MetricInfo.from_dict(raw) for raw in self.about.metrics]

    @property
    def passed(self) -> bool:
        """The gate: nothing that is guarded was lost."""
        return all(check.passed for check in self.gate)

    def comparison(self, metric: str, split: str, one: str, other: str) -> SystemComparison | None:
        """One of all those that were made."""
        for found in (*self.declared, *self.beside):
            if (found.metric, found.split, found.one, found.other) == (metric, split, one, other):
                return found
        return None


def build_report(
    evaluation: Evaluation, around: ReportContext, choices: ReportOptions
) -> EvaluationReport:
    """Compute everything. The main metric is the first primary one; without any, the first."""
    main = next((one for one in evaluation.metrics if one.primary), evaluation.metrics[0])
    split = comparisons.main_split(evaluation)
    primary = declared_comparisons(evaluation, split, choices.matters)
    verdict = verdicts.decide_verdict(
        evaluation.systems, [one for one in primary if one.metric == main.name]
    )
    tuned = next(iter(system_pairs(evaluation.systems, [("tuned", "base")])), None)
    return EvaluationReport(
        format=FORMAT,
        choices=choices,
        verdict=verdict,
        sentence=verdict.sentence
        if verdict
        else "not decided: fewer than two systems were compared",
        gate=verdicts.check_gate(evaluation),
        warnings=list(dict.fromkeys([*evaluation.about.warnings, *around.dataset_warnings])),
        few=_too_few_stories(primary),
        declared=primary,
        beside=_secondary(evaluation, split, primary, choices.matters),
        cells=tables.metric_table(evaluation),
        unknown=unknown_questions(evaluation, main.name, split, choices.matters),
        periods=tables.period_figures(evaluation, main, tuned, choices.matters),
        slices=comparisons.compare_slices(evaluation, main, split, *tuned) if tuned else [],
        flips=answers.find_flips(evaluation, main, split, *tuned) if tuned else None,
        calibration=[
            found
            for metric in evaluation.metrics
            for system in evaluation.systems
            if (found := answers.calibration_curve(evaluation, metric, system.name, split))
        ],
        selective=[
            table
            for system in evaluation.systems
            if (table := selective_answers(evaluation, system.name))
        ],
        strength=strength_table(evaluation, main.name, choices.matters),
        audit=evaluation.audit,
        caught=tables.fault_detection(evaluation),
        judged=tables.judge_preferences(evaluation),
        training=tables.training_cost(around.summary, choices.watts),
        answering=tables.answer_costs(evaluation, choices.watts),
        surroundings=around,
        about=evaluation.about,
    )


def _secondary(
    evaluation: Evaluation, split: str, primary: list[SystemComparison], matters: float
) -> list[SystemComparison]:
    """Tuned against base everywhere, and other pairs of interest; no claim rests on them."""
    done = {(one.metric, one.split, one.one, one.other) for one in primary}
    kinds = [("tuned", "base"), ("tuned+rag", "rag"), ("rag", "base"), *SECONDARY]
    return [
        found
        for metric in evaluation.metrics
        for name in comparisons.splits_of(evaluation)
        for one, other in system_pairs(evaluation.systems, kinds)
        if (metric.name, name, one, other) not in done
        and (found := compare_systems(evaluation, metric, name, one, other, matters))
    ]


def _too_few_stories(primary: list[SystemComparison]) -> int:
    fewest = min((one.worth for one in primary), default=FEW_CLUSTERS)
    return fewest if fewest < FEW_CLUSTERS else 0
