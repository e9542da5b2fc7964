"""What can be wrong with an answer: a fact left out, another in its place, the whole denied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from exchange.text.dates import month_number
from exchange.text.language import every, load_language
from trainer.evaluate.judge.audit import negated

FactKind = Literal["date", "number", "name"]
_OF = rf"(?:(?:{every().pattern('of')})\s+)?"
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:{every().pattern('day_ends')})?\s+{_OF}([^\W\d_]{{2,}})\s+{_OF}\d{{4}}\b"
    r"|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\b"
)
_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)*\b")
_CAPITAL = r"[A-ZΑ-ΩΆΈΉΊΌΎΏΪΫ][^\W\d_]{2,}"
_NAME = re.compile(rf"\b{_CAPITAL}(?:\s+{_CAPITAL})*")
_OPENING = re.compile(r"(?:\A|[.!?;·»]\s)\W*\Z")
FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class FactSpan:
    """A span of an answer that can be right or wrong by itself."""

    start: int
    end: int
    kind: FactKind
    text: str


def find_facts(answer: str) -> list[FactSpan]:
    """Dates, numbers and names, in order; none within another.

    A single capital word that opens a sentence is no name.
    """
    found: list[FactSpan] = []

    def add(start: int, end: int, kind: FactKind) -> None:
        if all(end <= fact.start or fact.end <= start for fact in found):
            found.append(FactSpan(start, end, kind, answer[start:end]))

    for match in _DATE.finditer(answer):
        if match[1] is None or month_number(match[1]):
            add(*match.span(), "date")
    for match in _NUMBER.finditer(answer):
        add(*match.span(), "number")
    for match in _NAME.finditer(answer):
        if " " in match[0] or not _OPENING.search(answer[: match.start()]):
            add(*match.span(), "name")
    return sorted(found, key=lambda fact: fact.start)


def vague_text(fact: FactSpan, language: str) -> str:
    """What is said instead of a fact that is left out: the sentence stays one."""
    texts = load_language(language).texts or load_language(FALLBACK).texts
    return texts[f"vague_{fact.kind}"]


def replace_facts(answer: str, changes: Mapping[FactSpan, str]) -> str:
    """The answer with other texts in place of some of its facts."""
    for fact in sorted(changes, key=lambda fact: -fact.start):
        answer = answer[: fact.start] + changes[fact] + answer[fact.end :]
    return answer


def deny(answer: str, language: str) -> str:
    """The opposite of the answer."""
    if language == "el":
        return negated(answer, "")
    return f"{load_language(FALLBACK).texts['not_true']} {answer[:1].lower()}{answer[1:]}"
