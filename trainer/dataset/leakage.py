"""How near every test row comes to what is taught (`leakage.json`), beside a random split."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from exchange.text.similarity import question_signature
from trainer.dataset.rows import DatasetRow
from trainer.dataset.split import Split

NEAR = 0.8  # Jaccard index of question and answer from which a row counts as the same
_RAREST = 4  # stems of a row that its candidates must share one of
_COMMON = 400  # rows of train; a stem in more of them tells nothing
Progress = Callable[[int, int], None]


def nearest_train_rows(
    tests: Mapping[Split, Sequence[DatasetRow]], train: Sequence[DatasetRow], progress: Progress
) -> dict[str, Any]:
    """The nearest train row of every other row, by the stems of question and answer.

    Candidates share one of the row's four rarest stems, so that the search stays linear; the
    nearest of those is found exactly.

    Returns:
        Split -> list of `{id, nearest, similarity, same_cluster}`, and a histogram by tenths.
    """
    bags = {split: [_bag(row) for row in rows] for split, rows in tests.items()}
    taught = _TaughtRows(train, {stem for rows in bags.values() for bag in rows for stem in bag})
    total = sum(len(rows) for rows in tests.values())
    done = 0
    found: dict[str, Any] = {}
    for split, rows in tests.items():
        lines: list[dict[str, Any]] = []
        tenths: Counter[int] = Counter()
        near = 0
        for row, bag in zip(rows, bags[split], strict=True):
            done += 1
            if done % 500 == 0:
                progress(done, total)
            number, value = taught.nearest(bag)
            other = train[number] if number is not None else None
            near += value >= NEAR
            tenths[min(9, int(value * 10))] += 1
            lines.append(
                {
                    "id": row.id,
                    "nearest": other.id if other else "",
                    "similarity": round(value, 4),
                    "same_cluster": bool(other and row.cluster == other.cluster),
                }
            )
        found[split] = {
            "near": near,
            "by_tenth": [tenths[n] for n in range(10)],
            "rows": lines,
        }
    return found


class _TaughtRows:
    """The stems of all rows of train, as numbers in one array: sets lie all over the memory."""

    def __init__(self, rows: Sequence[DatasetRow], wanted: set[str]) -> None:
        """
        Args:
            wanted: the stems that are going to be asked about.
        """
        self._numbers = {stem: number for number, stem in enumerate(sorted(wanted))}
        self._rows_of = [array("l") for _ in wanted]  # by stem
        known, sizes, counts = array("l"), array("l"), array("l")
        for row_number, row in enumerate(rows):
            bag = _bag(row)
            stems = [self._numbers[stem] for stem in bag if stem in self._numbers]
            for stem in stems:
                self._rows_of[stem].append(row_number)
            known.extend(stems)
            sizes.append(len(bag))
            counts.append(len(stems))
        self._known, self._sizes, self._counts = (np.array(one) for one in (known, sizes, counts))
        self._ends = self._counts.cumsum()
        self._asked = np.zeros(len(wanted), np.int64)  # 1 for a stem of the row that is asked about

    def nearest(self, bag: frozenset[str]) -> tuple[int | None, float]:
        """Number and Jaccard index of the nearest row, the first of several; None for none."""
        stems = [self._numbers[stem] for stem in bag]
        rows = self._candidates(stems)
        if not len(rows):
            return None, 0.0
        self._asked[stems] = 1
        counts = self._counts[rows]  # at least 1: they share a stem
        begins = counts.cumsum() - counts
        places = np.arange(counts.sum()) + (self._ends[rows] - counts - begins).repeat(counts)
        shared = np.add.reduceat(self._asked[self._known[places]], begins)
        self._asked[stems] = 0
        values = shared / (len(bag) + self._sizes[rows] - shared)
        best = int(values.argmax())
        return int(rows[best]), float(values[best])

    def _candidates(self, stems: Sequence[int]) -> np.ndarray[Any, Any]:
        """The rows that share one of the rarest stems, in their order."""
        rare = [rows for number in sorted(stems) if (rows := self._rows_of[number])]
        rare.sort(key=len)
        few = [rows for rows in rare[:_RAREST] if len(rows) <= _COMMON]
        few = few or [rows[:_COMMON] for rows in rare[:1]]
        return np.unique(np.concatenate(few)) if few else np.zeros(0, np.int64)


def sibling_share(tests: Sequence[DatasetRow], train: Sequence[DatasetRow]) -> float:
    """Share of test rows that have a row of the same story in train."""
    taught = {row.story for row in train if row.story}
    return sum(row.story in taught for row in tests) / len(tests) if tests else 0.0


def random_sibling_share(rows: Sequence[DatasetRow], taught: float) -> float:
    """The share of `siblings` to expect when rows are split at random, `taught` of them in train.

    A row of a story with n rows has none of the others in train with chance (1 - taught)^(n - 1).
    """
    count = Counter(row.story for row in rows if row.story)
    if not rows:
        return 0.0
    return sum(n * (1 - (1 - taught) ** (n - 1)) for n in count.values()) / len(rows)


def _bag(row: DatasetRow) -> frozenset[str]:
    return question_signature(row.question).stems | question_signature(row.answer).stems
