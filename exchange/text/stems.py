"""Two forms of one word told from two words, by its ending alone.

Two kinds of stem, since two things are wanted. A check must not miss a word of the chunk that the
pair inflects: it compares the first letters. A question must not be taken for another one: it
compares all but the ending.
"""

from __future__ import annotations

from exchange.text.language import every

STEM = 4  # folded letters that name two forms of one Greek word
_MIN_STEM = 3  # letters that a stem keeps
_VOWELS = "αεηιουω"
_ENDINGS = every().words("endings") | {""}


def stem(word: str) -> str:
    """A folded word without its Greek ending, so that cases and numbers meet.

    >>> stem("πετρα") == stem("πετρασ"), stem("γεωργιοσ") == stem("γεωργιου")
    (True, True)
    """
    if not word[-1:].isalpha():
        return word
    bare = word.rstrip("σν")
    cut = bare.rstrip(_VOWELS)
    return cut if len(cut) >= _MIN_STEM else max(bare, word[:_MIN_STEM], key=len)


def is_same_word(one: str, other: str) -> bool:
    """Cases of one word: a common beginning of at least three letters, then only endings."""
    if one == other:
        return True
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    # Short words are mostly ending: «Άννα» and «Άννας», but not «Άννα» and «Άννης» with two left.
    least = min(STEM - 1, len(one), len(other))
    for at in range(shared, least - 1, -1):
        if one[at:] in _ENDINGS and other[at:] in _ENDINGS:
            return True
    return False
