"""Questions as people type them: without accents, in capitals, with a slip of the finger."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

SLIPS = 2  # in a question
_WORD = re.compile(r"[^\W\d_]{5,}")  # a slip in a shorter word can make another word of it


def bare(question: str) -> str:
    """Without tonos and dialytika."""
    marks = unicodedata.normalize("NFD", question)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c)))


def capitals(question: str) -> str:
    """In capitals, which have no accents in Greek."""
    return bare(question).upper()


def typos(question: str) -> str:
    """Two neighbouring letters changed places in two of the longer words; always the same ones."""
    rng = random.Random(question)
    words = list(_WORD.finditer(question))
    for match in rng.sample(words, min(SLIPS, len(words))):
        at = rng.randrange(match.start() + 1, match.end() - 2)
        question = f"{question[:at]}{question[at + 1]}{question[at]}{question[at + 2 :]}"
    return question


WAYS: dict[str, Callable[[str], str]] = {"bare": bare, "capitals": capitals, "typos": typos}
