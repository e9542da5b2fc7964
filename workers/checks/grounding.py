"""Grounding: everything the pair claims stands in the chunk or its header."""

from __future__ import annotations

import re

from exchange.text.reading import Claim, Reading
from workers.checks.context import Context

OVERLAP = 0.40  # share of the answer's stems that the chunk must hold
_HOME = ("ελλαδ", "ευρωπ")  # where the story is set need not stand in it
_QUOTED = re.compile(r"[«“]([^»”]+)[»”]")


def grounded_number(claim: Claim, context: Context) -> str:
    """Every number of the pair is one of the chunk's."""
    if claim.answer.numbers <= context.numbers and claim.question.numbers <= context.numbers:
        return ""
    return "ungrounded-number"


def grounded_date(claim: Claim, context: Context) -> str:
    """Every date stands whole: its parts may all be there, of two different dates."""
    if claim.question.dates <= context.dates and claim.answer.dates <= context.dates:
        return ""
    return "ungrounded-date"


def grounded_name(claim: Claim, context: Context) -> str:
    """Every capitalised name, and every title in quotation marks, is one of the chunk's."""
    for reading in (claim.question, claim.answer):
        for word in reading.names:
            if word.month:
                if word.month not in context.months:
                    return "ungrounded-name"
            elif not context.names(word.folded) and not (
                reading is claim.question and word.folded.startswith(_HOME)
            ):
                return "ungrounded-name"
        quoted = "«" in reading.text or "“" in reading.text
        for title in _QUOTED.findall(reading.text) if quoted else ():
            if not all(context.names(w.folded) for w in Reading(title).words if not w.digits):
                return "ungrounded-name"
    return ""


def grounded(claim: Claim, context: Context) -> str:
    """Enough of the answer's words are the chunk's."""
    said = claim.answer.stems
    return "ungrounded" if said and len(said & context.stems) / len(said) < OVERLAP else ""
