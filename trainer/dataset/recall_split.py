"""`valid` and `test_recall`: what is taught, asked in words that are not.

A held-out story tests what was never taught. Whether the taught is known is seen only by asking
for it otherwise; so these rows are rephrasings of rows in train, and none of them may be like
any question of train: neither like its source, nor like a sibling beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from exchange.text.similarity import SIMILAR, SignatureIndex, jaccard, question_signature
from trainer.dataset.rows import DatasetRow
from trainer.dataset.split import SplitRule, hash_fraction

MIN_REPHRASINGS = (
    20  # rephrasings that are worth validating on; with fewer, whole clusters are held out
)
MAX_SIMILARITY = 0.6  # Jaccard index of the stems of a rephrasing and its source


def separate_rephrasings(rows: Iterable[DatasetRow]) -> tuple[list[DatasetRow], list[DatasetRow]]:
    """Rows that teach, and rephrasings of rows; both in the order given."""
    plain: list[DatasetRow] = []
    rephrased: list[DatasetRow] = []
    for row in rows:
        (rephrased if row.rephrase_of else plain).append(row)
    return plain, rephrased


def split_rephrasings(
    rephrased: Sequence[DatasetRow],
    train: Sequence[DatasetRow],
    line: SplitRule,
    recall: float,
    left_out: Counter[str],
) -> tuple[list[DatasetRow], list[DatasetRow]]:
    """Rows of `valid` and of `test_recall`; all rephrasings of one pair go the same way.

    Args:
        recall: share of the sources whose rephrasings `test_recall` gets.
    """
    sources = {row.id: row for row in train}
    index = SignatureIndex()
    if rephrased:
        for row in train:
            index.add(row.id, question_signature(row.question))
    valid: list[DatasetRow] = []
    test: list[DatasetRow] = []
    for row in rephrased:
        source = sources.get(row.rephrase_of)
        if source is None:
            left_out["source_not_taught"] += 1
            continue
        asked = question_signature(row.question)
        if jaccard(asked.stems, question_signature(source.question).stems) > MAX_SIMILARITY:
            left_out["too_close_to_source"] += 1
        elif index.nearest(asked, beside=source.id)[1] >= SIMILAR:
            left_out["asked_in_train"] += 1
        else:
            (test if hash_fraction(source.id, line.key) < recall else valid).append(row)
    return valid, test
