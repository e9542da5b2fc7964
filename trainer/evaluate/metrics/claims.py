"""The facts that an answer states: dates, numbers, names. Pure functions of texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from exchange.text.stems import is_same_word
from exchange.text.tokens import TokenizedText
from trainer.evaluate.records import EvalItem

ClaimKind = Literal["dates", "numbers", "names"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What of a text can be checked word by word."""

    dates: frozenset[str]  # ISO
    numbers: frozenset[str]  # in one spelling, those of dates too
    names: frozenset[str]  # folded

    def __bool__(self) -> bool:
        return bool(self.dates or self.numbers or self.names)


_NONE = Claims(frozenset(), frozenset(), frozenset())


@lru_cache(maxsize=1 << 12)  # several metrics look at the same texts
def read_text(text: str) -> TokenizedText:
    """A text cut into words, once for all metrics."""
    return TokenizedText(text)


def claims_of(text: str) -> Claims:
    """All claims of a text."""
    reading = read_text(text)
    names = frozenset(word.folded for word in reading.names if not word.month)
    return Claims(reading.dates, reading.numbers, names)


def claims_asked_for(item: EvalItem, only: ClaimKind | None = None) -> Claims:
    """What the reference says, of one sort or of all, and the question has not said already."""
    told, known = claims_of(item.reference), claims_of(item.question)
    said = [word.folded for word in read_text(item.question).words]
    asked = Claims(
        told.dates - known.dates,
        told.numbers - known.numbers,
        frozenset(name for name in told.names if not has_name(name, said)),
    )
    return replace(_NONE, **{only: getattr(asked, only)}) if only else asked


def has_name(name: str, words: Iterable[str]) -> bool:
    """Whether a name stands among folded words, in whatever case."""
    return any(is_same_word(name, word) for word in words)


def states_all(text: str, wanted: Claims) -> bool:
    """Whether a text states all of these."""
    reading = read_text(text)
    words = {word.folded for word in reading.words}
    return (
        wanted.dates <= reading.dates
        and wanted.numbers <= reading.numbers
        and all(has_name(name, words) for name in wanted.names)
    )
