"""Questions that the archive cannot answer: a real question with a coined name in it.

The coined name stands in no chunk, so the right answer is that one does not know.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from exchange.text.fold import fold
from exchange.text.guard import guarded

_ONSETS = ("Βλ", "Γρ", "Δρ", "Ζ", "Θρ", "Κλ", "Μπ", "Ντ", "Πλ", "Σκ", "Στρ", "Τζ", "Φρ", "Χλ", "Ψ")
_VOWELS = "αεηιοουω"
_MIDDLES = ("βρ", "γκ", "δρ", "λμ", "λφ", "μπ", "νδ", "ντ", "ξ", "ρδ", "ρφ", "στρ", "τζ", "φτ", "ψ")
_TRIES = 50


def coined(question: str, known: Callable[[str], bool], seed: str) -> str:
    """The question with its last name replaced; "" when it has none, or no new one is found.

    Args:
        known: whether a folded word stands anywhere in the archive.
        seed: the same gives the same name.
    """
    names = guarded(question).spelled
    if not names:
        return ""
    _, name = names[-1]
    rng = random.Random(seed)
    for _ in range(_TRIES):
        made = _name(rng, name)
        if not known(fold(made)):
            return question.replace(name, made)
    return ""


def _name(rng: random.Random, like: str) -> str:
    """A word that could be Greek, with the ending of another, so that the grammar still fits."""
    middle = "".join(rng.choice(_VOWELS) + rng.choice(_MIDDLES) for _ in range(2))
    return rng.choice(_ONSETS) + middle + like[-2:]
