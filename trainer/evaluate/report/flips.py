"""Answers that one can read: questions that the tuned model won and lost, beside the gold chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.records import Evaluation, Item, Metric
from trainer.evaluate.statistics.paired import TIE

SHOWN = 8  # of either direction; the file beside the page has all
LONGEST = 1500  # characters of a text that is shown


@dataclass(frozen=True, slots=True)
class Flip:
    """One question with what both said."""

    item: str
    question: str
    reference: str
    gold: str
    header: str
    url: str
    one: str
    other: str
    value_one: float
    value_other: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Wins and losses of `system` against `against`; the first ones by id, not the best ones."""

    metric: str
    system: str
    against: str
    won: list[Flip]
    lost: list[Flip]
    all_won: int
    all_lost: int


def flips(evaluation: Evaluation, metric: Metric, split: str, one: str, other: str) -> Flips:
    """What became right and what became wrong.

    Ids are hashes, so the first ones come from all over the archive.
    """
    sign = -1 if metric.better == "lower" else 1
    scores = evaluation.scores.get(metric.name, {})
    mine, theirs = scores.get(one, {}), scores.get(other, {})
    won: list[Flip] = []
    lost: list[Flip] = []
    for key in sorted(evaluation.items):
        item, a, b = evaluation.items[key], mine.get(key), theirs.get(key)
        if item.split != split or a is None or b is None or abs(a - b) <= TIE:
            continue
        (won if sign * (a - b) > 0 else lost).append(_flip(evaluation, item, one, other, a, b))
    return Flips(metric.name, one, other, _first(won), _first(lost), len(won), len(lost))


def _first(found: Sequence[Flip]) -> list[Flip]:
    return list(found[:SHOWN])


def _flip(evaluation: Evaluation, item: Item, one: str, other: str, a: float, b: float) -> Flip:
    said = [_said(evaluation, system, item.id) for system in (one, other)]
    return Flip(
        item.id,
        item.question,
        item.reference,
        _cut(item.gold),
        item.header,
        item.url,
        said[0],
        said[1],
        a,
        b,
    )


def _said(evaluation: Evaluation, system: str, item: str) -> str:
    answer = evaluation.answers.get(system, {}).get(item)
    return _cut(answer.text) if answer else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
