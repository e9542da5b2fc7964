"""Names of persons, places and organisations in a text, told by their capitals.

No dictionary and no model: two capitalised words side by side, or an abbreviation. Cases of one
name meet in one key, made of the stems of its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.stems import stem

_WORD = r"[Α-ΩΆ-ΏA-Z][α-ωά-ώϊϋΐΰa-z]+"
_RUN = re.compile(rf"{_WORD}(?: (?:{_WORD}|[Α-ΩA-Z]{{2,}}))+|\b[Α-ΩA-Z]{{3,}}\b")
# A sentence begins with one of these before a name often enough.
_SENTENCE_OPENERS = frozenset(map(fold, every().words("sentence_openers")))


def find_names(text: str) -> Iterator[tuple[str, str]]:
    """Key and spelling of each name of a text, in order, with repetitions."""
    for match in _RUN.finditer(text):
        words = match[0].split()
        if fold(words[0]) in _SENTENCE_OPENERS:
            words = words[1:]
        if len(words) > 1 or (words and words[0].isupper()):
            yield name_key(words), " ".join(words)


def name_key(words: list[str]) -> str:
    """What the cases of one name have in common."""
    return " ".join(stem(fold(word)) for word in words)


def fact_density(text: str) -> int:
    """Names and numbers for each thousand characters: how much there is to sum up."""
    count = sum(1 for _ in find_names(text)) + len(re.findall(r"\d+(?:[.,]\d+)*", text))
    return round(1000 * count / max(len(text), 200))
