"""Answers that one can read: questions that the tuned model won and lost, beside the gold chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.records import EvalItem, Evaluation, MetricInfo
from trainer.evaluate.statistics.paired import TIE

SHOWN = 8  # of either direction; the file beside the page has all
LONGEST = 1500  # characters of a text that is shown


@dataclass(frozen=True, slots=True)
class FlippedAnswer:
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
class FlippedAnswers:
    """Wins and losses of `system` against `against`; the first ones by id, not the best ones."""

    metric: str
    system: str
    against: str
    won: list[FlippedAnswer]
    lost: list[FlippedAnswer]
    all_won: int
    all_lost: int


def find_flips(
    evaluation: Evaluation, metric: MetricInfo, split: str, one: str, other: str
) -> FlippedAnswers:
    """What became right and what became wrong.

    Ids are hashes, so the first ones come from all over the archive.
    """
    sign = -1 if metric.better == "lower" else 1
    scores = evaluation.scores.get(metric.name, {})
    mine, theirs = scores.get(one, {}), scores.get(other, {})
    won: list[FlippedAnswer] = []
    lost: list[FlippedAnswer] = []
    for key in sorted(evaluation.items):
        item, a, b = evaluation.items[key], mine.get(key), theirs.get(key)
        if item.split != split or a is None or b is None or abs(a - b) <= TIE:
            continue
        (won if sign * (a - b) > 0 else lost).append(_flip(evaluation, item, one, other, a, b))
    return FlippedAnswers(metric.name, one, other, _first(won), _first(lost), len(won), len(lost))


def _first(found: Sequence[FlippedAnswer]) -> list[FlippedAnswer]:
    return list(found[:SHOWN])


def _flip(
    evaluation: Evaluation, item: EvalItem, one: str, other: str, a: float, b: float
) -> FlippedAnswer:
    said = [_answer_text(evaluation, system, item.id) for system in (one, other)]
    return FlippedAnswer(
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


def _answer_text(evaluation: Evaluation, system: str, item: str) -> str:
    answer = evaluation.answers.get(system, {}).get(item)
    return _cut(answer.text) if answer else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
