"""Language: Greek script, save for Latin words that the chunk itself holds."""

from __future__ import annotations

import re

from exchange.text.fold import fold, is_greek
from workers.checks.context import Context
from workers.parse import Draft

GREEK_SHARE = 0.7  # catches mixed language that language identifiers pass
_WORD = re.compile(r"[^\W\d_]+")


def mixed_language(draft: Draft, context: Context) -> str:
    """Too many letters outside the Greek alphabet that the chunk does not have."""
    letters = greek = 0
    for word in _WORD.findall(f"{draft.question} {draft.answer}"):
        own = sum(is_greek(char) for char in word)
        if own < len(word) and fold(word) in context.folded:
            continue  # an abbreviation or a foreign name, taken from the chunk
        letters += len(word)
        greek += own
    return "mixed-language" if letters and greek / letters < GREEK_SHARE else ""
