"""Standing alone: years later, without the page, does the question still mean something?"""

from __future__ import annotations

import re

from exchange.text.language import every
from exchange.text.tokens import TokenizedPair
from workers.checks.context import CheckContext

_META = re.compile(every().pattern("meta_references"))
_DEICTIC = re.compile(every().pattern("deictic"))
# «το Σάββατο 22 Ιούνη» says which one.
_WEEKDAY = re.compile(
    rf"\b({every().pattern('weekday_before')}) ({every().pattern('weekdays')})\b(?! \d)"
)
_BARE_SUBJECTS = every().words("bare_subjects")
_CARRIED = re.compile(rf"\b({every().pattern('carried_subjects')})\b")


def meta_reference(claim: TokenizedPair, context: CheckContext) -> str:
    """It speaks of "the text" or "the article", which nobody will have before them."""
    found = _META.search(claim.question.line) or _META.search(claim.answer.line)
    return "meta-reference" if found else ""


def deictic(claim: TokenizedPair, context: CheckContext) -> str:
    """Today, yesterday, our town: relative to a day and a writer that the pair does not hold.

    What stands in quotation marks is somebody's own words and may say so.
    """
    dated = claim.question.dates or claim.answer.dates
    for line in (claim.question.said, claim.answer.said):
        if _DEICTIC.search(line) or (not dated and _WEEKDAY.search(line)):
            return "deictic"
    return ""


def pronoun_only(claim: TokenizedPair, context: CheckContext) -> str:
    """The answer is a bare pronoun, or the question is about somebody it does not name."""
    if claim.answer.words and all(word.folded in _BARE_SUBJECTS for word in claim.answer.words):
        return "pronoun-only"
    if claim.question.names:
        return ""
    return "pronoun-only" if _CARRIED.search(claim.question.said) else ""


def unanchored(claim: TokenizedPair, context: CheckContext) -> str:
    """No name, no number, no date, no title: the question could be asked of any story."""
    asked = claim.question
    if asked.names or asked.numbers or "«" in asked.text:
        return ""
    return "unanchored"
