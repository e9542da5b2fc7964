"""How far an answer's manner is from the reference's, whatever it says.

The mean distance of four features, each between 0 and 1: share of small words, share of words
with a capital, marks of punctuation a word, and mean length of words. It shows drift; it is no
verdict.
"""

from __future__ import annotations

import re

from exchange.text.guard import is_small
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

LONGEST = 12  # letters of a mean word that count as 1
METRIC = Metric(
    "style",
    f"style|small words, capitals, marks, letters a word up to {LONGEST}|mean distance|v:1",
    "How far the manner of the answer is from the reference's; 0 is the same.",
    "distance",
    "neither",
    FACTS,
)
_WORD = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"[^\w\s]")


def looks_at(item: Item) -> bool:
    return bool(_WORD.search(item.reference))


def value(seen: Seen) -> float | None:
    if not _WORD.search(seen.text):
        return None
    both = zip(_features(seen.text), _features(seen.item.reference), strict=True)
    distances = [abs(one - other) for one, other in both]
    return sum(distances) / len(distances)


def _features(text: str) -> tuple[float, ...]:
    found = _WORD.findall(text)
    count = len(found)
    return (
        sum(map(is_small, found)) / count,
        sum(word[0].isupper() for word in found) / count,
        min(1.0, len(_MARK.findall(text)) / count),
        min(1.0, sum(map(len, found)) / count / LONGEST),
    )
