"""Answers to questions that rest on something false, or that the archive cannot answer.

`given["false"]` is what was put into the question, `given["true"]` what stood there before.
"""

from __future__ import annotations

import re

from exchange.text.inflection import same_word
from exchange.text.reading import Claim, Reading
from workers.checks.context import Context

_DENIES = re.compile(
    r"\b(δεν|οχι|λαθοσ|λανθασμεν\w*|αντιθετα|αλλα|στην πραγματικοτητα|not|wrong|but|actually"
    r"|rather)\b"
)
_REFUSES = re.compile(
    r"δεν (το |τη |την )?(γνωριζω|ξερω|εχω|βρισκω|βρηκα|υπαρχ|προκυπτει|διαθετω|περιλαμβαν|αναφερ"
    r"|μπορω|κανει λογο|περιεχει)"
    r"|(do not|don t|cannot|can not|no) (know|have|find|information|record|tell|answer|mention)"
)


def denies(claim: Claim, context: Context) -> str:
    """It says that the question is wrong, and does not answer as if it were right."""
    return "" if _DENIES.search(claim.answer.line) else "premise-accepted"


def corrects(claim: Claim, context: Context) -> str:
    """It says what is right: the true date, or the true name."""
    true = Reading(context.task.given["true"])
    if true.dates:
        return "" if true.dates <= claim.answer.dates else "not-corrected"
    if not true.numbers <= claim.answer.numbers:
        return "not-corrected"
    said = [word.folded for word in claim.answer.words]
    found = all(
        any(same_word(word.folded, other) for other in said) for word in true.words if word.capital
    )
    return "" if found else "not-corrected"


def refuses(claim: Claim, context: Context) -> str:
    """It says that it does not know."""
    return "" if _REFUSES.search(claim.answer.line) else "not-refused"


def adds_nothing(claim: Claim, context: Context) -> str:
    """A refusal that tells names or numbers of its own invents while refusing."""
    asked = claim.question
    if not claim.answer.numbers <= asked.numbers:
        return "invented-number"
    known = [word.folded for word in asked.words]
    for word in claim.answer.names:
        if not any(same_word(word.folded, other) for other in known):
            return "invented-name"
    return ""


def grounded_or_asked(claim: Claim, context: Context) -> str:
    """A correction may repeat what the question says; the rest stands in the chunk."""
    asked = claim.question
    if not claim.answer.numbers <= context.numbers | asked.numbers:
        return "ungrounded-number"
    known = [word.folded for word in asked.words]
    for word in claim.answer.names:
        if word.month:
            if word.month not in context.months | asked.months:
                return "ungrounded-name"
        elif not context.names(word.folded) and not any(
            same_word(word.folded, other) for other in known
        ):
            return "ungrounded-name"
    return ""
