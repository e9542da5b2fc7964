"""Language: the newspaper's script, save for words that the chunk itself holds."""

from __future__ import annotations

from exchange.text.reading import STEM, Claim
from workers.checks.context import Context

GREEK_SHARE = 0.7  # catches mixed language that language identifiers pass


def mixed_language(claim: Claim, context: Context) -> str:
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
