"""Fluency: sentences that no Greek speaker would write, told without a dictionary.

Models that lose the thread glue words together, pile up articles, or put a feminine name behind
a masculine article. Each pattern here is one that sound Greek does not have.
"""

from __future__ import annotations

from itertools import pairwise

from exchange.text.language import every
from exchange.text.stems import STEM
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import ADJACENT, ARTICLES, FEMININE, GENITIVES, MASCULINE, CheckContext

_STRONG = every().words("strong_articles")
_NEVER_BEFORE_VERB = every().words("never_before_verb")
_VERB_PARTICLES = every().words("verb_particles")
_PREPOSITIONS = every().words("prepositions")
_NOMINATIVES = every().words("nominative_articles")
_AFTER_NOMINATIVE = every().words("after_nominative")
_DOUBLES = every().words("doubled_words")


def garbled(claim: TokenizedPair, context: CheckContext) -> str:
    """Piled-up articles, doubled words, or words spelt as no Greek word is."""
    if context.task.language != "el":
        return ""
    for reading in (claim.answer, claim.question):
        if any(w.odd and not _printed(w.folded, context) for w in reading.words):
            return "garbled"
        if _broken_order(reading):
            return "garbled"
    return ""


def _printed(folded: str, context: CheckContext) -> bool:
    """Odd as it is, the newspaper has the word."""
    return folded in context.words.get(folded[:STEM], ())


def _broken_order(reading: TokenizedText) -> bool:
    words = reading.words
    for index, (before, word) in enumerate(pairwise(words)):
        one, two = before.folded, word.folded
        if word.capital or before.digits:
            continue
        if one == two and one not in _DOUBLES:
            return True
        if one in _STRONG and two in _STRONG:
            return True
        if one in _NEVER_BEFORE_VERB and two in _VERB_PARTICLES:
            return True
        if one in _PREPOSITIONS and two in _NOMINATIVES:
            after = words[index + 2].folded if index + 2 < len(words) else ""
            if after not in _AFTER_NOMINATIVE:
                return True
    return False


def disagreement(claim: TokenizedPair, context: CheckContext) -> str:
    """An article of another gender than the chunk puts before that name: «ο Μάγδα»."""
    if context.task.language != "el":
        return ""
    for reading in (claim.answer, claim.question):
        for before, word in pairwise(reading.spoken):
            given = ARTICLES.get(before.folded, 0)
            if not given or not word.capital or word.month or word.greek < STEM:
                continue
            if before.folded in GENITIVES:
                continue  # it may belong to what stands before: «η μητέρα του Ελένη»
            known = context.gender(word.folded)
            other = known & ~ADJACENT and not known & given
            if other and (known & ADJACENT or _unlike(given, word.folded)):
                return "disagreement"
    return ""


def _unlike(given: int, name: str) -> bool:
    """A nominative in -ς is masculine, others are not, save for foreign names."""
    if given & FEMININE:
        return name.endswith("σ")
    return bool(given & MASCULINE) and not name.endswith("σ")


# Language: the newspaper's script, save for words that the chunk itself holds.

GREEK_SHARE = 0.7  # catches mixed language that language identifiers pass


def mixed_language(claim: TokenizedPair, context: CheckContext) -> str:
    """Too many letters outside the Greek alphabet that the chunk does not have.

    A newspaper in another language than Greek is not judged by its script.
    """
    if context.task.language != "el":
        return ""
    letters = greek = 0
    for reading in (claim.question, claim.answer):
        for word in reading.words:
            if word.digits:
                continue
            folded = word.folded
            if word.greek < len(folded):
                if folded in context.words.get(folded[:STEM], ()):
                    continue  # an abbreviation or a foreign name, taken from the chunk
                if word.greek:
                    return "mixed-language"  # two alphabets in one word
            letters += len(folded)
            greek += word.greek
    return "mixed-language" if letters and greek / letters < GREEK_SHARE else ""
