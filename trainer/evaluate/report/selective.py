"""Two dials of the tuned model: how much of what it is asked it answers, and how strong it is.

Selective answering (El-Yaniv and Wiener 2010, JMLR 11:1605): of the answers ordered by their own
likelihood only the surest are given. For each coverage, the share of right ones among those, and
the gain over answering all. At a coverage the cut is a quantile of the likelihoods alone, which
looks at no mark; the fitted threshold's own row looked at none of these questions.

Strength: the same adapter in part, beside the base. Forgetting begins at the weakest strength at
which the general questions are clearly worse than the base's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.metrics import MetricInput, is_right
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report.comparisons import (
    MAIN_SPLIT,
    SystemComparison,
    compare_systems,
    system_pairs,
)
from trainer.statistics import clustered_mean, with_least_error

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
LEAST = 10  # answers given; a share of fewer says nothing
GENERAL = "test_general"


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """The surest answers, and how many of them are right. Shares run from 0 to 1."""

    coverage: float  # share of the questions that are answered
    answered: int
    right: float  # among those that are answered
    gain: float  # over answering all
    low: float  # of the gain's 95 % interval, clustered by story
    high: float


@dataclass(frozen=True, slots=True)
class SelectiveAnswers:
    """One system that may withhold answers, on taught questions in other words."""

    system: str
    split: str
    questions: int
    stories: int
    right: float  # when all are answered
    rows: list[CoverageRow]  # by coverage, all first
    fitted: CoverageRow | None  # at its own threshold; None where that gives too few answers

    def at(self, coverage: float) -> CoverageRow | None:
        """The row of a coverage, None where there is none."""
        return next((row for row in self.rows if row.coverage == coverage), None)


def selective_answers(
    evaluation: Evaluation, system: str, split: str = ""
) -> SelectiveAnswers | None:
    """Coverage against accuracy; None where the answers' likelihoods are not known.

    An answer is right if it has all facts of the reference, or all its words where that has none.

    Args:
        system: one that weighs its own answers ("tuned+abstain").
        split: default: taught questions in other words.
    """
    split = split or MAIN_SPLIT
    found = []
    for name, answer in evaluation.answers.get(system, {}).items():
        item = evaluation.items.get(name)
        if item is None or item.split != split or answer.likelihood is None or not item.reference:
            continue
        said = answer.replace(text=answer.withheld or answer.text)
        value = is_right(MetricInput(item, said)) or 0.0
        found.append((answer.likelihood, name, value, item.cluster, not answer.withheld))
    found.sort(reverse=True)
    right, clusters = [one[2] for one in found], [one[3] for one in found]
    if len(set(clusters)) < 2:
        return None
    rows = []
    for coverage in COVERAGES:
        count = round(coverage * len(found))
        row = _row(right, [at < count for at in range(len(found))], clusters, coverage)
        rows += [row] if row else []
    given = [one[4] for one in found]
    return SelectiveAnswers(
        system,
        split,
        len(found),
        len(set(clusters)),
        sum(right) / len(right),
        rows,
        _row(right, given, clusters, sum(given) / len(given)),
    )


def _row(
    right: Sequence[float], given: Sequence[bool], clusters: Sequence[str], coverage: float
) -> CoverageRow | None:
    """The gain is a ratio less a mean, linearised: its error is that of what each answer adds."""
    answered = sum(given)
    if answered < LEAST:
        return None
    everywhere = sum(right) / len(right)
    among = sum(value for value, kept in zip(right, given, strict=True) if kept) / answered
    share = answered / len(right)
    adds = [
        (value - among) / share * kept - (value - everywhere) + among - everywhere
        for value, kept in zip(right, given, strict=True)
    ]
    gain = clustered_mean(adds, clusters)
    if answered < len(right):  # with all answered, there is nothing to doubt
        gain = with_least_error(gain)
    return CoverageRow(coverage, answered, among, gain.mean, gain.low, gain.high)


@dataclass(frozen=True, slots=True)
class StrengthRow:
    """The adapter at one strength, against the base."""

    system: str
    scale: float
    learned: SystemComparison | None  # the main metric on taught questions in other words
    forgotten: list[SystemComparison]  # general questions: loss and words

    @property
    def forgets(self) -> bool:
        """General questions are clearly worse than the base's, on any of their measures."""
        return any(one.says == "worse" for one in self.forgotten)


@dataclass(frozen=True, slots=True)
class StrengthTable:
    """The same adapter at several strengths, the weakest first."""

    rows: list[StrengthRow]
    begins: float  # weakest strength at which it forgets; 0 where none does
    most: float  # the strongest that stands below that; 0 where none does


def strength_table(evaluation: Evaluation, metric: str, matters: float) -> StrengthTable | None:
    """None where the adapter was asked at one strength alone.

    Args:
        metric: what learning is measured by.
        matters: the smallest difference that counts, in points of a share.
    """
    scales = dict.fromkeys(evaluation.about.settings.get("scales", ()))
    metrics = {one.name: one for one in evaluation.metrics}
    pairs = system_pairs(evaluation.systems, (("scaled", "base"), ("tuned", "base")))
    whole = evaluation.about.settings.get("scale", 1.0)
    rows = []
    for name, base in pairs if scales else []:
        _, _, scale = name.partition("-")
        forgotten = [
            found
            for measure in ("bits", "forgetting")
            if measure in metrics
            and (
                found := compare_systems(evaluation, metrics[measure], GENERAL, name, base, matters)
            )
        ]
        learned = compare_systems(evaluation, metrics[metric], MAIN_SPLIT, name, base, matters)
        rows.append(StrengthRow(name, float(scale or whole), learned, forgotten))
    if len(rows) < 2:
        return None
    rows.sort(key=lambda row: row.scale)
    begins = next((row.scale for row in rows if row.forgets), 0.0)
    below = [row.scale for row in rows if not begins or row.scale < begins]
    return StrengthTable(rows, begins, max(below, default=0.0))
