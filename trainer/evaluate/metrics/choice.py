"""Knowledge without generation: is the true completion more probable than three hard wrong ones?

The wrong ones answer the likest questions of other stories, so style and form are held constant.
Per token, so that a long answer is not less probable for its length. Chance is 0.25.
"""

from __future__ import annotations

import math

from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "choice",
    "choice|distractors:3, nearest by bm25, other clusters, same kind first"
    "|score:mean logprob a token with end mark|v:1",
    "The true answer is more probable than three answers to the likest questions of other stories.",
    "share",
    "higher",
    FACTS,
    primary=True,
)


def looks_at(item: Item) -> bool:
    return bool(item.distractors)


def value(seen: Seen) -> float | None:
    if not seen.likelihoods:
        return None
    true, *others = (one.mean for one in seen.likelihoods)
    return right(true, others)


def right(true: float, others: list[float]) -> float:
    """1 when the true completion is the most probable one, a tie counts as wrong."""
    return float(true > max(others))


def confidence(seen: Seen) -> float | None:
    """Of the completion that was chosen: its share in the exponentials of all four means."""
    if not seen.likelihoods:
        return None
    means = [one.mean for one in seen.likelihoods]
    highest = max(means)
    parts = [math.exp(mean - highest) for mean in means]
    return max(parts) / sum(parts)
