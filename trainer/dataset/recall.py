"""`valid` and `test_recall`: what is taught, asked in words that are not.

A held-out story tests what was never taught. Whether the taught is known is seen only by asking
for it otherwise; so these rows are rephrasings of rows in train, and none of them may be like
any question of train: neither like its source, nor like a sibling beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from exchange.text.guard import SIMILAR, GuardedIndex, guarded, similarity
from trainer.dataset.rows import Row
from trainer.dataset.split import Line, point

FEWEST = 20  # rephrasings that are worth validating on; with fewer, whole clusters are held out
CLOSEST = 0.6  # Jaccard index of the stems of a rephrasing and its source


def apart(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Rows that teach, and rephrasings of rows; both in the order given."""
    plain: list[Row] = []
    rephrased: list[Row] = []
    for row in rows:
        (rephrased if row.rephrase_of else plain).append(row)
    return plain, rephrased


def choose(
    rephrased: Sequence[Row],
    train: Sequence[Row],
    line: Line,
    recall: float,
    left_out: Counter[str],
) -> tuple[list[Row], list[Row]]:
    """Rows of `valid` and of `test_recall`; all rephrasings of one pair go the same way.

    Args:
        recall: share of the sources whose rephrasings `test_recall` gets.
    """
    sources = {row.id: row for row in train}
    index = GuardedIndex()
    if rephrased:
        for row in train:
            index.add(row.id, guarded(row.question))
    valid: list[Row] = []
    test: list[Row] = []
    for row in rephrased:
        source = sources.get(row.rephrase_of)
        if source is None:
            left_out["source_not_taught"] += 1
            continue
        asked = guarded(row.question)
        if similarity(asked.stems, guarded(source.question).stems) > CLOSEST:
            left_out["too_close_to_source"] += 1
        elif index.nearest(asked, beside=source.id)[1] >= SIMILAR:
            left_out["asked_in_train"] += 1
        else:
            (test if point(source.id, line.key) < recall else valid).append(row)
    return valid, test
