"""Paragraphs into sentences: by sentencex, which knows some 300 languages, and beside it our own
abbreviations from `languages/*.toml`, after which nothing ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from exchange.text.language import load_language

# What may stand between a full stop and the next sentence's first letter.
_OPENING = "«“„‘\"'([–—-¿¡ "
_STOPPED_WORD = re.compile(r"([^\s«“„(\[\"']+)\.$")
_LONGEST = 40  # characters of a word before a full stop
_FIRST_WORD = re.compile(r"[^\W\d_]+")
# The splitter takes a quotation for one sentence and three dots for none: it gets to see neither.
_QUOTES = "«»“”„"


@dataclass(frozen=True, slots=True)
class _Abbreviations:
    """Of one language: words before a full stop that ends no sentence."""

    always: frozenset[str]
    before_numbers: frozenset[str]
    shapes: re.Pattern[str] | None  # how a word looks that is one
    openers: frozenset[str]  # small words that begin a sentence, after a name that looks like one


def split_sentences(paragraph: str, language: str = "el") -> list[str]:
    """The sentences of a paragraph, in order; joined by `scripts.glue_after` they are it again.

    A full stop ends no sentence before a small letter, after an abbreviation of the language,
    after a single capital (an initial) or after the number of a list's item.

    Args:
        language: ISO 639; one that nobody knows is split as its neighbours are.

    >>> split_sentences("Ο κ. Α. Βάλβης μίλησε στις 5 μ.μ. στον Δήμο. Ήρθαν 3.000 άτομα.")
    ['Ο κ. Α. Βάλβης μίλησε στις 5 μ.μ. στον Δήμο.', 'Ήρθαν 3.000 άτομα.']
    """
    known = _abbreviations(language)
    sentences: list[str] = []
    open_part = ""
    for piece in _pieces(paragraph, language):
        if open_part and not _ends(open_part, piece, known):
            open_part += piece
            continue
        if open_part.strip():
            sentences.append(open_part.strip())
        open_part = piece
    return [*sentences, open_part.strip()] if open_part.strip() else sentences


def _pieces(paragraph: str, language: str) -> Iterator[str]:
    """As the splitter cuts; an opening quotation mark goes with what it opens."""
    from sentencex import segment

    shown = paragraph.replace("…", ".")
    for mark in _QUOTES:  # to translate every letter takes longer than to cut
        shown = shown.replace(mark, " ")
    pieces = segment(language, shown)
    if len(pieces) < 2 or shown == paragraph:
        yield from [paragraph] if len(pieces) == 1 else pieces
        return
    begin = end = 0
    for piece in pieces:
        end += len(piece)
        cut = end
        while begin < cut < len(paragraph) and paragraph[cut - 1] in "«“„ ":
            cut -= 1
        yield paragraph[begin:cut]
        begin = cut
    yield paragraph[begin:]


def _ends(before: str, after: str, known: _Abbreviations) -> bool:
    """Whether a sentence ends between two pieces that were cut apart."""
    bare = after.lstrip(_OPENING)
    if bare[:1].islower():
        return False
    stopped = before.rstrip()
    if not stopped.endswith("."):
        return True
    # From a sentence's start the search takes long.
    match = _STOPPED_WORD.search(stopped[-_LONGEST:].rpartition(" ")[2])
    if match is None:
        return True
    word = match[1]
    if word.isdigit() and f"{word}." == before.strip():
        return False  # the number of a list's item
    initial = word.rpartition(".")[2]
    if len(initial) == 1 and initial.isupper():
        return False  # Α. Βάλβης, Κ.Κ.Ε.
    small = word.lower()
    if small in known.always or (bare[:1].isdigit() and small in known.before_numbers):
        return False
    if known.shapes is None or not known.shapes.fullmatch(initial):
        return True
    following = _FIRST_WORD.match(bare)
    opens = following is not None and following[0].lower() in known.openers
    return initial[0].isupper() and opens


@cache
def _abbreviations(language: str) -> _Abbreviations:
    lists = load_language(language)
    shapes, openers = None, frozenset[str]()
    with suppress(KeyError):  # few languages can be told by the look of a word
        shapes = re.compile(lists.pattern("abbreviation_shapes"))
        openers = lists.words("sentence_openers") | lists.words("definite_articles")
    return _Abbreviations(
        lists.words("abbreviations"),
        lists.words("abbreviations_before_numbers"),
        shapes,
        frozenset(word.lower() for word in openers),
    )
