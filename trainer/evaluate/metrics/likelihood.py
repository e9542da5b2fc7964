"""Knowledge without generation: is the true completion more probable than three hard wrong ones?

The wrong ones answer the most similar questions of other stories, so style and form are constant.
Per token, so that a long answer is not less probable for its length. Chance is 0.25.
"""

from __future__ import annotations

import math

from trainer.evaluate.metrics.base import EvalMetric, MetricInput
from trainer.evaluate.records import FACT_SPLITS, EvalItem, MetricInfo

CHOICE_INFO = MetricInfo(
    "choice",
    "choice|distractors:3, nearest by bm25, other clusters, same kind first"
    "|score:mean logprob a token with end mark|v:1",
    "The true answer is more probable than three answers to the likest questions of other stories.",
    "share",
    "higher",
    FACT_SPLITS,
    primary=True,
)


def choice_applies(item: EvalItem) -> bool:
    return bool(item.distractors)


def choice_value(seen: MetricInput) -> float | None:
    if not seen.likelihoods:
        return None
    true, *others = (one.mean for one in seen.likelihoods)
    return is_most_probable(true, others)


def is_most_probable(true: float, others: list[float]) -> float:
    """1 when the true completion is the most probable one, a tie counts as wrong."""
    return float(true > max(others))


def choice_confidence(seen: MetricInput) -> float | None:
    """Of the completion that was chosen: its share in the exponentials of all four means."""
    if not seen.likelihoods:
        return None
    means = [one.mean for one in seen.likelihoods]
    highest = max(means)
    parts = [math.exp(mean - highest) for mean in means]
    return max(parts) / sum(parts)


# How surprising the reference is, per character of it, so that two tokenizers compare.

BITS_INFO = MetricInfo(
    "bits",
    "bits|-log2 p(reference and end mark) / characters|v:1",
    "Bits a character of the reference, given the question: what it would cost to be told.",
    "bits per character",
    "lower",
    (*FACT_SPLITS, "test_general"),
)


def bits_applies(item: EvalItem) -> bool:
    return bool(item.reference)


def bits_value(seen: MetricInput) -> float | None:
    if not seen.likelihoods:
        return None
    return -seen.likelihoods[0].logprob / math.log(2) / len(seen.item.reference)


CHOICE = EvalMetric(
    info=CHOICE_INFO, applies=choice_applies, value=choice_value, confidence=choice_confidence
)
BITS = EvalMetric(info=BITS_INFO, applies=bits_applies, value=bits_value)
