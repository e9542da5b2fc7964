"""What one story shows by itself: charset, language, length and date. Pure functions."""

from __future__ import annotations

import datetime as dt
import re

from exchange.records import Story

BROKEN = 1 / 400  # replacement characters a character: one in four lines of print
GREEK = 0.5  # of the letters; a story about foreign books stays above it
TOLERANCE = 0.10  # of the printed word count: newspapers count signatures and captions
TOLERANCE_WORDS = 10
NEAR_DAYS = 3  # a weekend issue carries two dates, a page may show the day it was printed
_LETTERS = re.compile(r"[^\W\d_]+")
_GREEK = re.compile("[\u0370-\u037d\u037f-\u0386\u0388-\u03ff\u1f00-\u1fff]+")
_BROKEN = re.compile("[\ufffd\ufffe\uffff\x80-\x9f]")


def story_marks(story: Story, on_page: str, language: str) -> tuple[str, ...]:
    """The marks of a story, sorted.

    Args:
        on_page: the date that the page itself shows, ISO or "".
        language: of the newspaper, ISO 639.
    """
    found = {
        "low-confidence": story.low_confidence,
        "broken-characters": broken_share(story.text) >= BROKEN,
        "other-language": language == "el" and other_language(story.text),
        "date-differs": dates_differ(story.published, on_page),
        **_word_count_marks(story),
    }
    return tuple(sorted(code for code, marked in found.items() if marked))


def broken_share(text: str) -> float:
    """Characters that no newspaper printed, of all."""
    if "\ufffd" not in text and text.replace("\n", "").isprintable():
        return 0.0  # nearly all: all other broken characters are none that can be printed
    return len(_BROKEN.findall(text)) / max(1, len(text))


def other_language(text: str) -> bool:
    """Are the letters mostly not Greek? Counting Greek's first bytes answers it for most texts."""
    raw = text.encode("utf-8", "replace")
    if len(raw) - len(raw.translate(None, b"\xce\xcf")) >= GREEK * (len(text) - text.count(" ")):
        return False
    return greek_share(text) < GREEK


def greek_share(text: str) -> float:
    """Greek letters of all letters; 1 for a text without letters."""
    letters = sum(map(len, _LETTERS.findall(text)))
    return sum(map(len, _GREEK.findall(text))) / letters if letters else 1.0


def dates_differ(published: str, on_page: str) -> bool:
    """Are both known, and further apart than a weekend issue's dates?"""
    if not published or not on_page:
        return False
    apart = dt.date.fromisoformat(published) - dt.date.fromisoformat(on_page)
    return abs(apart.days) > NEAR_DAYS


def _word_count_marks(story: Story) -> dict[str, bool]:
    expected = story.words_expected
    if not expected:
        return {}
    over = len(story.text.split()) - expected
    allowed = max(TOLERANCE_WORDS, TOLERANCE * expected)
    return {"words-missing": -over > allowed, "words-extra": over > allowed}
