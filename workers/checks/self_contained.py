"""Standing alone: years later, without the page, does the question still mean something?

Nor does it where an event comes again: "the Summit" needs a date or a place, or nobody knows which.
"""

from __future__ import annotations

import re

from exchange.text.fold import fold
from exchange.text.language import compile_phrases, every, word_test
from exchange.text.scripts import has_capitals
from exchange.text.tokens import TokenizedPair, TokenizedText
from exchange.text.vocabulary import WordToken
from workers.checks.context import CheckContext, opens_with

_META = compile_phrases(every().pattern("meta_references"))
_DEICTIC = compile_phrases(every().pattern("deictic"))
# «το Σάββατο 22 Ιούνη» says which one.
_WEEKDAY = compile_phrases(
    rf"({every().pattern('weekday_before')}) ({every().pattern('weekdays')})\b(?! \d)"
)
_BARE_SUBJECTS = every().words("bare_subjects")
_CARRIED = compile_phrases(rf"({every().pattern('carried_subjects')})\b")
_is_event = word_test(every().pattern("events"))
_GENERIC = frozenset(fold(word)[:5] for word in every().words("event_names"))
_ABOUT = every().words("about")
_DEFINITE = every().words("definite_articles")
_WHEN = every().list_of("asks_when")
_PRESENT_PERFECT = re.compile(every().pattern("present_perfect"))
_SHARE_OF = re.compile(every().pattern("asked_share"))
_DAYS = frozenset(word for line in every().days.values() for word in line.split())
_WINDOW = 9  # words after the event in which what tells it from others would stand
_ORDINAL = re.compile(rf"\d+\s*(?:{every().pattern('ordinal_ends')})\b")


def meta_reference(claim: TokenizedPair, context: CheckContext) -> str:
    """It speaks of "the text" or "the article", which nobody will have before them."""
    found = _META.search(f" {claim.question.line}") or _META.search(f" {claim.answer.line}")
    return "meta-reference" if found else ""


def deictic(claim: TokenizedPair, context: CheckContext) -> str:
    """Today, yesterday, our town: relative to a day and a writer that the pair does not hold.

    What stands in quotation marks is somebody's own words and may say so.
    """
    dated = claim.question.dates or claim.answer.dates
    for line in (f" {claim.question.said}", f" {claim.answer.said}"):
        if _DEICTIC.search(line) or (not dated and _WEEKDAY.search(line)):
            return "deictic"
    return ""


def pronoun_only(claim: TokenizedPair, context: CheckContext) -> str:
    """The answer is a bare pronoun, or the question is about somebody it does not name."""
    if claim.answer.words and all(word.folded in _BARE_SUBJECTS for word in claim.answer.words):
        return "pronoun-only"
    if claim.question.names:
        return ""
    return "pronoun-only" if _CARRIED.search(f" {claim.question.said}") else ""


def unanchored(claim: TokenizedPair, context: CheckContext) -> str:
    """No name, no number, no date, no title: the question could be asked of any story.

    Names are told by their capitals; scripts that have none are not judged.
    """
    question = claim.question
    if (
        not has_capitals(question.text)
        or question.names
        or question.numbers
        or "«" in question.text
    ):
        return ""
    return "unanchored"


def undated_event(claim: TokenizedPair, context: CheckContext) -> str:
    """ "The Summit", "the strike": one of many, and neither its date nor its place is said."""
    question = claim.question
    if _has_year(question):
        return ""
    if not _has_year(claim.answer) and (
        question.months  # which year's November?
        or (opens_with(question.line, _WHEN) and not _DAYS.isdisjoint(claim.answer.folded))
        or _PRESENT_PERFECT.search(question.line)
        or _SHARE_OF.search(question.line)  # a poll's, or a month's
    ):
        return "undated-event"
    if not any(map(_is_event, question.folded)):
        return ""
    # "When was ...?" says after the event what it was about, which is enough to know it by.
    when = opens_with(question.line, _WHEN)
    for index, word in enumerate(question.words):
        if not _is_event(word.folded) or not _definite(question, index):
            continue
        if _ORDINAL.search(question.text):
            return ""
        if not _pinned(question.words[index + 1 : index + 1 + _WINDOW], stop=not when):
            return "undated-event"
    return ""


def _has_year(text: TokenizedText) -> bool:
    return any(not iso.startswith("--") for iso in text.calendar)


def _definite(question: TokenizedText, index: int) -> bool:
    """Somebody's own event ("a meeting") is introduced; "the meeting" is taken for known."""
    return any(word.folded in _DEFINITE for word in question.words[max(0, index - 3) : index])


def _pinned(after: tuple[WordToken, ...], *, stop: bool) -> bool:
    for word in after:
        if stop and word.folded in _ABOUT:
            return False
        if word.digits or word.month:
            return True
        # An abbreviation holds its strike or its congress every year.
        if word.capital == 1 and word.folded[:5] not in _GENERIC:
            return True
    return False
