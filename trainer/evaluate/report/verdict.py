"""The verdict: which of the three approaches to take, from the numbers and nothing else.

A newspaper can be taught by fine-tuning, looked up (RAG), or hinted at by examples in the prompt
(few-shot). Each costs more than the next cheaper one, so a way is chosen only if it is clearly
better than every cheaper one, and if no dearer one could still be better by a difference that
matters. Otherwise nothing is decided, and the power formula says how many questions are missing.

The promotion gate stands beside it: a tuned model that forgets or invents is not to be used. A gate
must not pass what it cannot see. The tuned model passes if even the worst end of the interval is no
further behind the base than a tenth of the base's own value (or two points of a share, where that
is more); it fails if it is worse, if the interval is too wide to say, and if nothing was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from trainer.evaluate.records import Evaluation, MetricInfo, SystemInfo
from trainer.evaluate.report.comparisons import SystemComparison, compare_systems, system_pairs
from trainer.statistics import ClusteredEstimate, questions_needed

Approach = Literal["few-shot", "rag", "fine-tune"]
APPROACHES: tuple[Approach, ...] = ("few-shot", "rag", "fine-tune")  # cheapest first
KINDS: dict[str, Approach] = {
    "base": "few-shot",
    "few-shot": "few-shot",
    "rag": "rag",
    "tuned": "fine-tune",
    "tuned+rag": "fine-tune",
}
SENTENCES = {"fine-tune": "fine-tune", "rag": "use RAG", "few-shot": "use few-shot"}

GUARDED = ("forgetting", "groundedness")  # metrics by name
ALLOWED = 0.1  # part of the base's value that may be lost
FLOOR = 0.02  # of a share: a base near zero has no tenth to lose
GateOutcome = Literal["passed", "worse", "too wide", "not measured"]


@dataclass(frozen=True, slots=True)
class EvaluationVerdict:
    """What to do, and the comparisons that it stands on."""

    decided: Approach | None
    system: str  # the one to take, or the best one where nothing is decided
    more: int  # questions still needed, 0 when it is decided
    because: list[SystemComparison]  # those that decided it, or those that left it open
    split: str
    metric: str

    @property
    def sentence(self) -> str:
        """In the words that scripts may look for."""
        if self.decided:
            return SENTENCES[self.decided]
        return f"not decided: {self.more:,} more questions needed"


def decide_verdict(
    systems: Sequence[SystemInfo], comparisons: Sequence[SystemComparison]
) -> EvaluationVerdict | None:
    """The verdict from the declared comparisons on one metric; None where nothing was compared.

    Of examples and of RAG the best one by its mean must be beaten. Tuned without retrieval is
    tried before tuned with it, which costs more at every question.
    """
    if not comparisons:
        return None
    metric, split = comparisons[0].metric, comparisons[0].split
    of = {(one.one, one.other): one for one in comparisons if one.metric == metric}
    means = {
        name: mean
        for one in of.values()
        for name, mean in ((one.one, one.mean_one), (one.other, one.mean_other))
    }
    names = _by_approach(systems, means)
    best = {way: max(some, key=means.__getitem__) for way, some in names.items()}
    open_ones: dict[str, list[SystemComparison]] = {}
    for way, some in names.items():
        at = APPROACHES.index(way)
        for name in some if way == "fine-tune" else [best[way]]:
            cheaper = [of[name, best[w]] for w in APPROACHES[:at] if (name, best.get(w, "")) in of]
            dearer = [
                of[best[w], name] for w in APPROACHES[at + 1 :] if (best.get(w, ""), name) in of
            ]
            missing = [one for one in cheaper if not one.clear]
            missing += [one for one in dearer if _could_matter(one)]
            if not missing:
                return EvaluationVerdict(way, name, 0, cheaper + dearer, split, metric)
            open_ones[name] = missing
    champion = max(open_ones, key=means.__getitem__)
    left = open_ones[champion]
    return EvaluationVerdict(None, champion, max(map(_still_needed, left)), left, split, metric)


def _by_approach(
    systems: Sequence[SystemInfo], means: Mapping[str, float]
) -> dict[Approach, list[str]]:
    """The systems that were compared, by way, the cheaper kinds first."""
    found: dict[Approach, list[str]] = {}
    for kind, way in KINDS.items():
        names = [one.name for one in systems if one.kind == kind and one.name in means]
        if names:
            found.setdefault(way, []).extend(names)
    return found


def _could_matter(dearer: SystemComparison) -> bool:
    """Whether the dearer system may be better by as much as matters."""
    if dearer.says in ("worse", "same"):
        return False
    return dearer.says == "better" or dearer.high >= dearer.matters


def _still_needed(found: SystemComparison) -> int:
    """By the power formula; if that many were asked already, until the interval decides.

    An interval shorter than what matters cannot hold both zero and a difference that matters.
    """
    if found.needed > found.questions:
        return found.needed - found.questions
    shorter = ((found.high - found.low) / found.matters) ** 2 if found.matters else 2.0
    return max(1, ceil(found.questions * (shorter - 1)))


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One metric of the gate."""

    metric: str
    outcome: GateOutcome
    allowed: float  # how far behind the base the tuned model may be, in the metric's unit
    comparison: SystemComparison | None
    more: int = 0  # questions still needed to see so small a loss

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def check_gate(evaluation: Evaluation) -> list[GateCheck]:
    """Every guarded metric, in order; `passed` only if all of them are."""
    metrics = {metric.name: metric for metric in evaluation.metrics}
    tuned = system_pairs(evaluation.systems, [("tuned", "base")])
    return [_check_metric(evaluation, metrics.get(name), name, tuned) for name in GUARDED]


def _check_metric(
    evaluation: Evaluation, metric: MetricInfo | None, name: str, tuned: Sequence[tuple[str, str]]
) -> GateCheck:
    found = metric and tuned and compare_systems(evaluation, metric, "", *tuned[0])
    if not metric or not found:
        return GateCheck(name, "not measured", 0.0, None)
    allowed = max(ALLOWED * abs(found.mean_other), FLOOR if metric.unit == "share" else 0.0)
    worst = -found.high if metric.better == "lower" else found.low
    if worst >= -allowed:
        return GateCheck(name, "passed", allowed, found)
    if found.says == "worse":
        return GateCheck(name, "worse", allowed, found)
    seen = ClusteredEstimate(found.gain, found.error, found.worth - 1, found.stories)
    needed = questions_needed(seen, found.questions, allowed) if allowed else found.questions
    return GateCheck(name, "too wide", allowed, found, max(1, needed - found.questions))
