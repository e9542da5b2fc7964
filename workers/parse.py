"""Read the pairs of a reply leniently: models number, embolden, explain and forget the format.

The line format costs 10 % fewer tokens than compact JSON, and most damaged replies still yield
their whole pairs. What is read: labelled lines in any language's words, several on one line,
headings and bold, lists of JSON objects, code fences, and numbered questions without labels. What
a model says around its pairs (its thoughts, "Pair 2", "Source: ...", "Let me know ...") belongs to
none of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.scripts import FULL_STOPS, QUESTION_MARKS

_ASKS, _TELLS = every().pattern("question_labels"), every().pattern("answer_labels")
# One or two letters are a label in capitals alone: "a:" and "b:" are an answer's own.
_ASKS_SHORT, _TELLS_SHORT = every().pattern("question_letters"), every().pattern("answer_letters")
_LABELS = (
    rf"(?:(?P<asks>(?i:{_ASKS})|{_ASKS_SHORT})|(?P<tells>(?i:{_TELLS})|(?P<letter>{_TELLS_SHORT})))"
)
# Possessive where kinds of characters follow each other: a reply of blanks is no work.
_LABEL = re.compile(
    rf"^[\s\-*•#>_\d.)(]*{_LABELS}"
    r"(?:\s*+\d*+\s*+[*_]*+\s*+[:：]|\d++\s*+[*_]*+\s*+[.)])\s*+[*_]*+\s*+(?P<rest>.*)$"
)
_HEADING = re.compile(rf"^\s*(?:#+|\*\*|__)\s*{_LABELS}\s*+\d*+\s*+[*_:：#]*+\s*+$")
# A label in the middle of a line, behind the end of what stands before it.
_INNER_ANSWER = re.compile(
    rf"(?<=[?;])[\s*_|—–-]+(?=(?:(?i:{_TELLS})|{_TELLS_SHORT})\s*+\d*+\s*+[*_]*+\s*+[:：])"
)
_INNER_QUESTION = re.compile(
    rf"(?<=[.!?;»\"”*])[\s_|—–-]+(?=[*_]*(?:(?i:{_ASKS})|{_ASKS_SHORT})\s*+\d*+\s*+[*_]*+\s*+[:：])"
)
_NUMBERED = re.compile(r"^[\s\-*•#>]*(?:\d{1,2}\s*[.):]\s*)?")
_ITEM = re.compile(
    r"^(?:[#*_>\s]*+\d{1,2}\s*+[.):]\s++|\s*+#++\s++|\s*+\*\*)[*_]*+(?P<rest>.*?[?;])[*_\s]*"
)
_THOUGHT = re.compile(
    r"^(?:(?!<think(?:ing)?>).)*?</think(?:ing)?>|<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)",
    re.S | re.I,
)
_FENCE = re.compile(r"^\s*(?:```|~~~)\s*\w*\s*$")
_TAIL = re.compile(
    rf"^(?:\s*[-*_=]{{3,}}\s*$|\s*```|[#*_(\[\s]*(?:{every().pattern('reply_tails')}))", re.I
)
_SOURCES = every().pattern("source_labels")
_SOURCE = re.compile(rf"(?<!\s)\s*+[(\[](?:{_SOURCES})\s*[:：][^)\]]*[)\]]\s*$", re.I)
_BULLET = re.compile(r"^\s*[-•*]\s+")
_FINAL = (*FULL_STOPS, *QUESTION_MARKS, *'»")]·%€」』）')


@dataclass(frozen=True, slots=True)
class PairDraft:
    """A pair as the model wrote it; `chopped` when the reply was cut inside it."""

    question: str
    answer: str
    chopped: bool = False


def parse(text: str, *, chopped: bool = False) -> list[PairDraft]:
    """The pairs of one completion, in order.

    Args:
        chopped: the model was cut off (finish reason other than "stop"), so the last answer may
            lack its end; it is marked unless it closes with final punctuation.
    """
    plain = _plain(text)
    drafts = list(_objects(plain))
    if drafts:
        return drafts  # an object that was cut is no object
    lines = _INNER_QUESTION.sub("\n", _INNER_ANSWER.sub("\n", plain)).splitlines()
    drafts, closed = _labelled(lines)
    if not drafts:
        drafts, closed = _numbered(lines)
    if chopped and closed and not drafts[-1].answer.endswith(_FINAL):
        drafts[-1] = PairDraft(drafts[-1].question, drafts[-1].answer, chopped=True)
    return drafts


def parse_questions(text: str) -> list[str]:
    """The questions of a reply that was asked for nothing else, one a line; labels are dropped."""
    found: dict[str, None] = {}
    for line in _plain(text).splitlines():
        match = _LABEL.match(line)
        question = _clean([match["rest"] if match else _NUMBERED.sub("", line)])
        if question.endswith(QUESTION_MARKS):
            found.setdefault(question)
    return list(found)


def parse_answer(text: str) -> str:
    """The one answer of a reply that was asked for no more; its paragraphs are kept."""
    kept: list[str] = []
    begun = False
    for line in _plain(text).splitlines():
        if begun and _TAIL.match(line):
            break
        match = _LABEL.match(line)
        if match and match["asks"]:
            continue  # the question, told again
        told = match and not (match["letter"] and begun)
        kept.append(_clean([match["rest"] if match and told else line]))
        begun = begun or bool(kept[-1])
    return _without_source("\n".join(kept).strip())


def _plain(text: str) -> str:
    """Without thoughts, code fences and a byte order mark; a Greek question mark is one."""
    bare = unicodedata.normalize("NFC", text).replace("\ufeff", "").replace("\u037e", ";")
    if "</think" in bare or "<think" in bare:
        bare = _THOUGHT.sub("", bare)
    if "```" in bare or "~~~" in bare:
        bare = "\n".join("---" if _FENCE.match(line) else line for line in bare.splitlines())
    return bare


def _objects(text: str) -> Iterator[PairDraft]:
    """The pairs of JSON objects, in whatever list or lines they stand."""
    if "{" not in text or '"' not in text:
        return
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
            drafts = list(_pairs_in(found))
        except RecursionError:
            return  # no model means that, and each of its levels would be tried
        except ValueError:
            at = text.find("{", at + 1)
            continue
        yield from drafts
        at = text.find("{", end)


def _pairs_in(found: Any) -> Iterator[PairDraft]:
    if isinstance(found, list):
        for one in found:
            yield from _pairs_in(one)
    if not isinstance(found, dict):
        return
    named = {str(name): value for name, value in found.items()}
    question = next((value for name, value in named.items() if _KEY_ASKS.fullmatch(name)), None)
    answer = next((value for name, value in named.items() if _KEY_TELLS.fullmatch(name)), None)
    if isinstance(question, str) and isinstance(answer, str):
        draft = PairDraft(_clean([question]), _answer(answer.splitlines()))
        if draft.question and draft.answer:
            yield draft
        return
    for value in named.values():
        yield from _pairs_in(value)


_KEY_ASKS = re.compile(rf"(?:{_ASKS}|{_ASKS_SHORT})\s*\d*", re.I)
_KEY_TELLS = re.compile(rf"(?:{_TELLS}|{_TELLS_SHORT})\s*\d*", re.I)


def _labelled(lines: list[str]) -> tuple[list[PairDraft], bool]:
    """The pairs of labelled lines, and whether the last one was open at the end."""
    drafts: list[PairDraft] = []
    question: list[str] = []
    answer: list[str] | None = None
    for line in lines:
        match = _LABEL.match(line) or _HEADING.match(line)
        rest = match.groupdict().get("rest") or "" if match else ""
        if match and match["asks"]:
            _close(drafts, question, answer)
            question, answer = [rest], None
        elif match and not (match["letter"] and answer is not None and any(answer)):
            answer = [rest]
        elif answer is not None:
            answer.append(line)
        elif question:
            question.append(line)
    return drafts, _close(drafts, question, answer)


def _numbered(lines: list[str]) -> tuple[list[PairDraft], bool]:
    """Pairs without labels: a numbered or bold question, its answer behind or below it."""
    drafts: list[PairDraft] = []
    question: list[str] = []
    answer: list[str] = []
    for line in lines:
        match = _ITEM.match(line)
        if match:
            _close(drafts, question, answer)
            question, answer = [match["rest"]], [line[match.end() :]]
        elif question:
            answer.append(line)
    return drafts, _close(drafts, question, answer)


def _close(drafts: list[PairDraft], question: list[str], answer: list[str] | None) -> bool:
    if not question or answer is None:
        return False
    draft = PairDraft(_clean(question), _answer(answer))
    if draft.question and draft.answer:
        drafts.append(draft)
        return True
    return False


def _answer(lines: list[str]) -> str:
    """What belongs to an answer: nothing behind a rule, a source, or a word to the reader."""
    kept: list[str] = []
    begun = False
    for line in lines:
        if begun and _TAIL.match(line):
            break
        kept.append(line if begun else _BULLET.sub("", line))
        begun = begun or bool(kept[-1].strip())
    return _without_source(_clean(kept))


def _without_source(answer: str) -> str:
    return _SOURCE.sub("", answer) if answer.endswith((")", "]")) else answer


def trails(answer: str) -> bool:
    """Whether an answer still ends with what a model says around its pairs."""
    first, *rest = answer.splitlines() or [""]
    return any(map(_TAIL.match, rest)) or _without_source(first) != first


def _clean(lines: list[str]) -> str:
    bare = " ".join(" ".join(lines).replace("**", "").replace("__", "").split())
    return bare if _folds(bare) else ""


def _folds(text: str) -> bool:
    """Whether anything is left of a text but signs."""
    return text[:1].isalnum() or bool(fold(text).strip("-*#_ "))
