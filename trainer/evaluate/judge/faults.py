"""Faults planted in right answers, so that a judge can be tried without a person's labels.

Each takes a right answer and returns it with the fault in it, or "" where it has no place for it.
All of them are pure; what is random follows from the answer itself.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from exchange.text.language import every
from exchange.text.tokens import TokenizedText

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")
_NOT, _NO = every().texts["not"], every().texts["no"]
_DENIED = re.compile(rf"\b[{_NOT[0].upper()}{_NOT[0]}]{_NOT[1:]}? ")
# Past and present endings of verbs that newspapers tell facts with; three letters before them.
_VERB = re.compile(rf"\b\w[α-ωάέήίόύώϊϋΐΰ]{{2,}}(?:{every().pattern('verb_ends')})\b")
_LEAST = 4  # words of an answer that can be cut in two


def negated(answer: str, other: str) -> str:
    """Says the opposite: a «δεν» is taken out or put before the first verb, else «Όχι» first."""
    if _DENIED.search(answer):
        return _upper_first(_DENIED.sub("", answer, count=1))
    verb = _VERB.search(answer)
    if verb is None:
        return f"{_NO} {_lower_first(answer)}"
    before, rest = answer[: verb.start()], _lower_first(answer[verb.start() :])
    return _upper_first(f"{before}{_NOT} {rest}")


def swapped_number(answer: str, other: str) -> str:
    """One number that is no year is another one of as many digits."""
    for match in _NUMBER.finditer(answer):
        if not _YEAR.fullmatch(match[0]):
            return answer[: match.start()] + _changed(match[0]) + answer[match.end() :]
    return ""


def swapped_date(answer: str, other: str) -> str:
    """The year is a few years off."""
    match = _YEAR.search(answer)
    if not match:
        return ""
    off = random.Random(answer).choice((-4, -3, -2, 2, 3, 4))
    return answer[: match.start()] + str(int(match[0]) + off) + answer[match.end() :]


def swapped_name(answer: str, other: str) -> str:
    """A name is one of another answer."""
    mine, theirs = _names(answer), _names(other)
    for name in mine:
        for instead in theirs:
            if instead not in mine:
                return answer.replace(name, instead, 1)
    return ""


def truncated(answer: str, other: str) -> str:
    """The second half is missing."""
    words = answer.split()
    return " ".join(words[: len(words) // 2]) + " …" if len(words) >= _LEAST else ""


def padded(answer: str, other: str) -> str:
    """The answer to another question stands behind it."""
    return f"{answer} {other}" if other and other not in answer else ""


FAULTS: dict[str, Callable[[str, str], str]] = {
    "negation": negated,
    "number": swapped_number,
    "date": swapped_date,
    "name": swapped_name,
    "truncation": truncated,
    "padding": padded,
}


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _changed(number: str) -> str:
    """Another number: its first digit is another one."""
    first = int(number[0])
    return str(first % 9 + 1) + number[1:]


def _names(text: str) -> list[str]:
    """Capitalised words as they are written, in order."""
    names = {word.folded for word in TokenizedText(text).names if not word.month}
    return [
        word
        for word in re.findall(r"[^\W\d_]+", text)
        if word[0].isupper()
        and TokenizedText(f"α {word}").names
        and TokenizedText(f"α {word}").names[0].folded in names
    ]
