"""Split Greek paragraphs into sentences, and never after an abbreviation or an initial."""

from __future__ import annotations

import re

from exchange.text.language import every

_ABBREVIATIONS = every().words("abbreviations")  # before a full stop that ends no sentence
_END = re.compile(r"[.!;?…][.!;?…]*[»”’\"')\]]*(?=\s+[«“‘\"'(\[–—-]?\s?[^\W_a-zα-ωάέήίόύώϊϋΐΰ])")
_LAST_WORD = re.compile(r"([^\s«“(\[\"']+)$")


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph, in order; joined by blanks they are the paragraph again.

    A full stop ends a sentence only before a capital letter or a digit, and not after an
    abbreviation or a single capital (an initial).

    >>> split_sentences("Ο κ. Α. Βάλβης μίλησε στις 5 μ.μ. στον Δήμο. Ήρθαν 3.000 άτομα.")
    ['Ο κ. Α. Βάλβης μίλησε στις 5 μ.μ. στον Δήμο.', 'Ήρθαν 3.000 άτομα.']
    """
    sentences: list[str] = []
    start = 0
    for match in _END.finditer(paragraph):
        if match[0] == "." and _abbreviated(paragraph[start : match.start()]):
            continue
        sentences.append(paragraph[start : match.end()].strip())
        start = match.end()
    rest = paragraph[start:].strip()
    return [*sentences, rest] if rest else sentences


def _abbreviated(before: str) -> bool:
    match = _LAST_WORD.search(before)
    if match is None:
        return False
    word = match[1]
    if word.isdigit() and word == before.strip():
        return True  # the number of a list's item
    initial = word.rpartition(".")[2]
    if len(initial) == 1 and initial.isupper():
        return True  # Α. Βάλβης, Κ.Κ.Ε.
    return word.lower() in _ABBREVIATIONS
