"""The labelled pairs: `labelled.jsonl`, a chunk a line, each pair right or wrong with its reason.

Written for this purpose, by hand: real-looking Greek of several newspapers and decades. A pair
that is wrong names the rule that is to object; `twin` marks questions that differ from another
one only in their date, and must be kept. The order counts, since a duplicate comes second.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.checks.corpus import chunk_task
from exchange.store import dedup
from workers.checks import CheckContext, TokenizedPair, first_objection

FILE = Path(__file__).parent / "labelled.jsonl"


@dataclass(frozen=True, slots=True)
class LabelledVerdict:
    """One labelled pair and what the chain said; "" is accepted."""

    question: str
    answer: str
    wanted: str
    found: str
    twin: bool


@dataclass(frozen=True, slots=True)
class RuleScore:
    """How well one rule does: of its objections those that are its own, of its pairs those met.

    `caught` counts its pairs that any rule rejects: two rules may both be right, and the cheaper
    one speaks first.
    """

    wanted: int
    found: int
    hit: int
    caught: int

    @property
    def precision(self) -> float | None:
        return round(self.hit / self.found, 4) if self.found else None

    @property
    def recall(self) -> float | None:
        return round(self.hit / self.wanted, 4) if self.wanted else None


def judge_all() -> list[LabelledVerdict]:
    """Every labelled pair through the chain, and through the index of questions after it."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(dedup.QUESTIONS_TABLE)
    questions: dict[str, str] = {}
    return list(_judge(dedup.QuestionIndex(connection, questions.__getitem__), questions))


def _judge(index: dedup.QuestionIndex, questions: dict[str, str]) -> Iterator[LabelledVerdict]:
    number = 0
    for line in FILE.read_bytes().splitlines():
        told = orjson.loads(line)
        task = chunk_task(told["text"], told["header"])
        context = CheckContext.of(task)
        for pair in told["pairs"]:
            number += 1
            questions[str(number)] = pair["question"]
            reason = first_objection(TokenizedPair.of(pair["question"], pair["answer"]), context)
            if not reason and index.keep(str(number), pair["question"]):
                reason = dedup.DUPLICATE
            yield LabelledVerdict(
                pair["question"],
                pair["answer"],
                pair.get("reason", ""),
                reason,
                pair.get("twin", False),
            )


def scores(judged: list[LabelledVerdict]) -> dict[str, RuleScore]:
    """By reason code; "" stands for accepted."""
    wanted = Counter(one.wanted for one in judged)
    found = Counter(one.found for one in judged)
    hit = Counter(one.wanted for one in judged if one.wanted == one.found)
    caught = Counter(one.wanted for one in judged if one.wanted and one.found)
    return {
        reason: RuleScore(wanted[reason], found[reason], hit[reason], caught[reason])
        for reason in sorted({*wanted, *found})
    }
