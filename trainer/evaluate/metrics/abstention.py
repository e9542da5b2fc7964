"""Questions that the archive cannot answer: the right answer is that one does not know."""

from __future__ import annotations

import re

from exchange.text.fold import words
from exchange.text.language import every
from trainer.evaluate.metrics.base import FACT_SPLITS, EvalMetric, MetricInput
from trainer.evaluate.records import EvalItem, MetricInfo

# Tell an answer that says it does not know from one that answers.

_DECLINES = re.compile(every().pattern("declines"))


def declines(text: str) -> bool:
    """Whether the text says that it does not know, in Greek or English, any accents and case."""
    return bool(_DECLINES.search(" ".join(words(text))))


ABSTENTION_INFO = MetricInfo(
    "abstention",
    "abstention|questions with a coined name, and refusals of the test split|by phrase|v:1",
    "Asked about what is not in the archive, it says that it does not know.",
    "share",
    "higher",
    ("absent",),
)


def abstention_applies(item: EvalItem) -> bool:
    return True


def abstention_value(seen: MetricInput) -> float | None:
    return float(declines(seen.text))


# The price of abstention: questions that have an answer, and were declined.

DECLINED_INFO = MetricInfo(
    "declined",
    "declined|by phrase|v:1",
    "It says that it does not know although the archive does.",
    "share",
    "lower",
    FACT_SPLITS,
)


def declined_applies(item: EvalItem) -> bool:
    return not declines(item.reference)


def declined_value(seen: MetricInput) -> float | None:
    return float(declines(seen.text))


ABSTENTION = EvalMetric(info=ABSTENTION_INFO, applies=abstention_applies, value=abstention_value)
DECLINED = EvalMetric(info=DECLINED_INFO, applies=declined_applies, value=declined_value)
