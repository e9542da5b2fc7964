"""What a metric is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exchange.inference.engine import Likelihood
from trainer.evaluate.records import EvalAnswer, EvalItem, MetricInfo


@dataclass(frozen=True, slots=True)
class MetricInput:
    """One system on one item."""

    item: EvalItem
    answer: EvalAnswer
    likelihoods: Sequence[Likelihood] = field(default=())  # reference, then distractors; or none

    @property
    def text(self) -> str:
        """What was said; "" when nothing was, or the system failed."""
        return self.answer.text


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalMetric:
    """One metric: values are means over items, so `value` gives the number of one item.

    Attributes:
        applies: whether the metric can say anything of an item, whoever answers it.
        value: None is "n/a": this system gives nothing to measure.
        confidence: how sure the system was, from 0 to 1, where it can be known.
    """

    info: MetricInfo
    applies: Callable[[EvalItem], bool]
    value: Callable[[MetricInput], float | None]
    confidence: Callable[[MetricInput], float | None] | None = None
