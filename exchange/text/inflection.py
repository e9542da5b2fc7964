"""Tell the cases of one Greek word from two words."""

from __future__ import annotations

from exchange.text.tokens import STEM, word_set

# Endings of Greek names and nouns, folded: two words that agree up to these are cases of one.
_ENDINGS = word_set(
    """
    α ασ αν ε εσ εα η ησ ην ι ια ιασ ιο ιον ιοσ ιου ιων ιουσ ιοι ο ον οσ ου ουσ οι οσι οντα
    οντοσ ω ωσ ων εωσ εων εισ εασ αδα αδασ αδοσ αδεσ αδων εδεσ εδων ιδα ιδασ ιδοσ ισ ιδεσ ιδων
    μα ματα ματοσ ματων υ υσ υν σ ν
    """
) | {""}


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
