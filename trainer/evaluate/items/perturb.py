"""Questions as people type them: without accents, in capitals, with a slip of the finger."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.similarity import question_signature

SLIPS = 2  # in a question
_WORD = re.compile(r"[^\W\d_]{5,}")  # a slip in a shorter word can make another word of it


def strip_accents(question: str) -> str:
    """Without tonos and dialytika."""
    marks = unicodedata.normalize("NFD", question)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c)))


def to_capitals(question: str) -> str:
    """In capitals, which have no accents in Greek."""
    return strip_accents(question).upper()


def add_typos(question: str) -> str:
    """Two neighbouring letters changed places in two of the longer words; always the same ones."""
    rng = random.Random(question)
    words = list(_WORD.finditer(question))
    for match in rng.sample(words, min(SLIPS, len(words))):
        at = rng.randrange(match.start() + 1, match.end() - 2)
        question = f"{question[:at]}{question[at + 1]}{question[at]}{question[at + 2 :]}"
    return question


PERTURBATIONS: dict[str, Callable[[str], str]] = {
    "bare": strip_accents,
    "capitals": to_capitals,
    "typos": add_typos,
}


# Questions that the archive cannot answer: a real question with a coined name in it.
#
# The coined name stands in no chunk, so the right answer is that one does not know.

_ONSETS, _MIDDLES, _VOWELS = map(every().list_of, ("onsets", "middles", "vowels"))
_TRIES = 50


def with_coined_name(question: str, known: Callable[[str], bool], seed: str) -> str:
    """The question with its last name replaced; "" when it has none, or no new one is found.

    Args:
        known: whether a folded word stands anywhere in the archive.
        seed: the same gives the same name.
    """
    names = question_signature(question).spelled
    if not names:
        return ""
    _, name = names[-1]
    rng = random.Random(seed)
    for _ in range(_TRIES):
        made = _coin_name(rng, name)
        if not known(fold(made)):
            return question.replace(name, made)
    return ""


def _coin_name(rng: random.Random, like: str) -> str:
    """A word that could be Greek, with the ending of another, so that the grammar still fits."""
    middle = "".join(rng.choice(_VOWELS) + rng.choice(_MIDDLES) for _ in range(2))
    return rng.choice(_ONSETS) + middle + like[-2:]
