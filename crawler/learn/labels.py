"""Which runs of text are of the story: what changes from page to page, reads like prose, and is
neither a link's text nor in a box that leads elsewhere.

Every unit is weighed in words: of the story above zero, furniture below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crawler.learn.units import ParsedPage, TextUnit
from exchange.text import dates

REPEATED = 3  # pages that must show the same text before it is furniture
SHARE = 0.05  # of the pages, where there are many
FEW = 0.4  # of the pages; a heading that more have is the site's
PROSE_WORDS = 8
CARD_WORDS = 100  # a box with a headline that links elsewhere; longer ones are stories
SMALL_CARD = 40  # with a headline of a word or two
CAPTION_WORDS = 45
HEADINGS = ("h2", "h3", "h4", "h5", "h6", "b", "strong")
NEVER_DROPPED = ("", "label")  # a short line inside the text may be its subheading
_SENTENCE = re.compile(r"[.!;?…:»”\"')\]]$")


def label(pages: Sequence[ParsedPage]) -> None:
    """Weigh the units of pages of one layout, and say why one is not of the story."""
    for page in pages:
        boxes: dict[Any, bool] = {}
        for unit in page.units:
            unit.why = _why_not(page, unit, boxes)
    # Teasers do not count: what one promotes on many pages stands as a story on its own.
    spread = Counter(
        text for page in pages for text in {u.folded for u in page.units if u.why in NEVER_DROPPED}
    )
    often = max(REPEATED, SHARE * len(pages))
    for page in pages:
        for unit in page.units:
            seen = spread[unit.folded]
            if (
                seen >= often
                and unit.why in NEVER_DROPPED
                and not _is_heading(unit, seen / len(pages))
            ):
                unit.why = "repeats"
            unit.weight = -unit.words if unit.why else unit.words


def _is_heading(unit: TextUnit, share: float) -> bool:
    """Subheadings such as "The background" come again, but not on most pages."""
    return unit.owner.tag in HEADINGS and unit.words < PROSE_WORDS and share < FEW


def _why_not(page: ParsedPage, unit: TextUnit, boxes: dict[Any, bool]) -> str:
    if unit.linked * 2 > unit.words:
        return "link"
    if unit.folded == page.told:
        return "title"
    if _boxed(page, unit, boxes):
        return "box"
    if unit.words <= 10 and dates.parse_date(unit.text) and not unit.text.endswith("."):
        return "date"
    prose = unit.words >= PROSE_WORDS and _SENTENCE.search(unit.text)
    return "" if prose or unit.words >= 2 * PROSE_WORDS else "label"


def _boxed(page: ParsedPage, unit: TextUnit, known: dict[Any, bool]) -> bool:
    """Is the unit a picture's caption, or part of a card that leads to another story?"""
    for element in [unit.owner, *list(unit.owner.iterancestors())[:2]]:
        if element not in known:
            known[element] = _is_box(page, element)
        if known[element]:
            return True
    return False


def _is_box(page: ParsedPage, element: Any) -> bool:
    held = [unit for unit in page.units if page.inside(unit, [element])]
    words = sum(unit.words for unit in held)
    if words <= CAPTION_WORDS and len(held) <= 2 and element.find(".//img") is not None:
        return element.tag != "p" or words < 2 * PROSE_WORDS
    if not 1 < len(held) <= 4 or words > CARD_WORDS:
        return False
    first = held[0]
    leads = first.linked * 2 > first.words
    return leads and (first.linked * 5 >= words if first.linked > 2 else words <= SMALL_CARD)
