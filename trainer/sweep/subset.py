"""Which rows a search trains on, and on which it judges. Pure.

What has to be remembered is taught as often as in the run itself: the same epochs over fewer rows.
It is judged on validation rows that ask about what this part
teaches; where validation asks about held-out stories, which no rate can teach, on rows taught.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.dataset.rows import Row

MOST_JUDGED = 256  # rows; more costs time and tells no more
FEWEST_JUDGED = 24  # questions about what is taught; with fewer, taught rows judge instead


@dataclass(frozen=True, slots=True)
class Order:
    """All rows in the order in which growing parts take them, each part a beginning of the next."""

    train: tuple[Row, ...]
    judges: tuple[tuple[Row, int], ...]  # a validation row, and the rows a part needs to teach it


def order(train: Sequence[Row], valid: Sequence[Row], seed: int) -> Order:
    """Rows in random order, those first that validation asks about in other words."""
    asking: defaultdict[str, list[Row]] = defaultdict(list)
    for row in valid:
        asking[row.rephrase_of].append(row)
    shuffled = sorted(train, key=lambda row: row.id)
    random.Random(f"sweep:{seed}").shuffle(shuffled)
    shuffled.sort(key=lambda row: row.id not in asking)  # stable: both kinds stay shuffled
    judges = [
        (one, number) for number, row in enumerate(shuffled, 1) for one in asking.get(row.id, ())
    ]
    return Order(tuple(shuffled), tuple(judges))


def judges(found: Order, count: int) -> tuple[list[Row], bool]:
    """The rows that judge a part of `count` rows, and whether they ask about it in other words."""
    asking = [row for row, needs in found.judges if needs <= count]
    if len(asking) >= FEWEST_JUDGED:
        return asking[:MOST_JUDGED], True
    return list(found.train[:count][:MOST_JUDGED]), False
