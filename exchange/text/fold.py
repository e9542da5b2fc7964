"""Fold Greek text once, everywhere, so that comparisons ignore accents, case and final sigma."""

from __future__ import annotations

import re
import unicodedata

_COMBINING = {"Mn"}
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def fold(text: str) -> str:
    """Lower case, no tonos or dialytika, final sigma as sigma, white space as single blanks.

    >>> fold("Ο  ΆΝΘΡΩΠΟΣ και ο ΐδιος")
    'ο ανθρωποσ και ο ιδιοσ'
    """
    decomposed = unicodedata.normalize("NFD", text.lower())
    bare = "".join(c for c in decomposed if unicodedata.category(c) not in _COMBINING)
    return " ".join(unicodedata.normalize("NFC", bare).replace("ς", "σ").split())


def words(text: str) -> list[str]:
    """The folded words of a text, punctuation dropped."""
    return _WORD.findall(fold(text))


def is_greek(char: str) -> bool:
    """True for letters of the Greek blocks (monotonic and polytonic)."""
    return "\u0370" <= char <= "\u03ff" or "\u1f00" <= char <= "\u1fff"
