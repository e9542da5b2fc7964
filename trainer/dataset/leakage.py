"""How near every test row comes to what is taught (`leakage.json`), beside a random split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exchange.text.similarity import jaccard, question_signature
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
    wanted = {stem for rows in bags.values() for bag in rows for stem in bag}
    train_bags = [_bag(row) for row in train]
    postings: defaultdict[str, list[int]] = defaultdict(list)
    for number, bag in enumerate(train_bags):
        for stem in bag & wanted:
            postings[stem].append(number)
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
            rare = sorted((s for s in bag if s in postings), key=lambda s: (len(postings[s]), s))
            candidates = _candidates(rare[:_RAREST], postings)
            value, number = max(
                ((jaccard(bag, train_bags[n]), -n) for n in candidates), default=(0.0, 1)
            )
            other = train[-number] if candidates else None
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


def _candidates(rare: Sequence[str], postings: Mapping[str, list[int]]) -> set[int]:
    found = {n for stem in rare if len(postings[stem]) <= _COMMON for n in postings[stem]}
    return found or set(postings[rare[0]][:_COMMON] if rare else ())


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
