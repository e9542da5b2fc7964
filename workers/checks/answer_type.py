"""The sort of answer: «πότε» is answered with a time, «πόσο» with a number."""

from __future__ import annotations

import re

from exchange.records import PairKind
from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

_TIME = re.compile(rf"\b({every().pattern('time')})")
_COUNT = re.compile(rf"\b({every().pattern('count')})")
_MEASURE = re.compile(rf"%|{every().pattern('measure')}")
_YEAR, _WHEN, _HOW_MANY = (every().list_of(f"asks_{what}") for what in ("year", "when", "how_many"))


def right_answer_type(claim: TokenizedPair, context: CheckContext) -> str:
    """An answer without any time to "when", without any number to "how many"."""
    asked, answer = claim.question.line, claim.answer
    if asked.startswith(_YEAR) and not any(len(found) == 4 for found in answer.numbers):
        return "wrong-sort"
    if answer.numbers and not (asked.startswith(_WHEN) and _MEASURE.search(answer.text)):
        return ""
    if asked.startswith(_WHEN):
        return "" if answer.months or _TIME.search(answer.line) else "wrong-sort"
    if asked.startswith(_HOW_MANY):
        return "" if _COUNT.search(answer.line) else "wrong-sort"
    return ""


# What a question asks for, by its opening words.

_OPENING_KINDS: tuple[PairKind, ...] = ("time", "place", "quantity", "cause", "person")
_OPENINGS = tuple((kind, every().list_of(f"asks_{kind}")) for kind in _OPENING_KINDS)
_LARGER_KINDS: tuple[PairKind, ...] = ("timeline", "cause")
_LARGER = tuple((kind, every().list_of(f"asks_{kind}_of_all")) for kind in _LARGER_KINDS)


def kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about one fact."""
    opening = question.line + " "
    for kind, starts in _OPENINGS:
        if opening.startswith(starts):
            return kind
    return "fact"


def larger_kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about a whole chunk: its order, its consequences, or all of it."""
    for kind, marks in _LARGER:
        if any(mark in question.line for mark in marks):
            return kind
    return "summary"
