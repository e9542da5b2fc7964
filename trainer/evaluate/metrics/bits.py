"""How surprising the reference is, per character of it, so that two tokenizers compare."""

from __future__ import annotations

import math

from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "bits",
    "bits|-log2 p(reference and end mark) / characters|v:1",
    "Bits a character of the reference, given the question: what it would cost to be told.",
    "bits per character",
    "lower",
    (*FACTS, "test_general"),
)


def looks_at(item: Item) -> bool:
    return bool(item.reference)


def value(seen: Seen) -> float | None:
    if not seen.likelihoods:
        return None
    return -seen.likelihoods[0].logprob / math.log(2) / len(seen.item.reference)
