"""The text of a page in units (what a reader takes for one paragraph or label), and which of them
are of the story: what changes from page to page, reads like prose, and is neither a link's text nor
in a box that leads elsewhere.

`ParsedPage` numbers the elements of a page, so that "stands inside" is a comparison of numbers.
Every unit is weighed in words: of the story above zero, boilerplate below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.html import BLOCKS, SILENT
from exchange.text import dates
from exchange.text.fold import fold
from exchange.text.scripts import count_words


@dataclass(slots=True)
class TextUnit:
    """One run of text between block boundaries or double line breaks."""

    text: str
    owner: Any  # the smallest element that holds all of it
    linked: int  # words that stand in links
    folded: str = ""
    words: int = 0
    weight: int = 0  # words if it is of the story, minus words if it is not
    reject_reason: str = ""  # it is not of the story: repeats, link, title, box, date, label

    def __post_init__(self) -> None:
        self.folded = fold(self.text)
        self.words = count_words(self.text)


@dataclass(slots=True)
class ParsedPage:
    """A parsed page with its units in reading order."""

    url: str
    root: Any
    issue: str = ""  # the date that an address or index gave, "" when none did
    link_text: str = ""  # the headline, as the links that lead here say it
    units: list[TextUnit] = field(default_factory=list)
    span: dict[Any, tuple[int, int]] = field(default_factory=dict)  # first and last of a subtree

    def __post_init__(self) -> None:
        self.units = list(_units(self.root))
        _number(self.root, self.span)

    def inside(self, unit: TextUnit, elements: Iterable[Any]) -> bool:
        """Does the unit stand wholly inside one of the elements?"""
        first, last = self.span[unit.owner]
        return any(
            start <= first and last <= end
            for start, end in (self.span[element] for element in elements)
        )


def _number(root: Any, span: dict[Any, tuple[int, int]]) -> None:
    from lxml import etree

    count = 0
    opened: dict[Any, int] = {}
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            opened[element] = count
            count += 1
        else:
            span[element] = (opened.pop(element), count - 1)


def _units(root: Any) -> Iterable[TextUnit]:
    """Walks as `crawler.extract.html` does, and remembers where each piece stood."""
    from lxml import etree

    pieces: list[tuple[str, Any]] = []
    links = 0
    breaks = 0
    linked: list[str] = []

    def close() -> TextUnit | None:
        nonlocal breaks
        text = clean("".join(piece for piece, _ in pieces))
        holders = [holder for piece, holder in pieces if piece.strip()]
        made = TextUnit(text, _common(holders), count_words(" ".join(linked))) if text else None
        pieces.clear()
        linked.clear()
        breaks = 0
        return made

    def say(text: str | None, holder: Any) -> None:
        nonlocal breaks
        if not text:
            return
        if text.strip():
            breaks = 0
            if links:
                linked.append(text)
        pieces.append((text, holder))

    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if tag in SILENT or not tag or tag == "title":
                walker.skip_subtree()
                continue
            if tag == "br":
                breaks += 1
                if breaks >= 2:
                    if unit := close():
                        yield unit
                    breaks = 1
                else:
                    pieces.append(("\n", element))
            elif tag in BLOCKS and (unit := close()):
                yield unit
            links += tag == "a"
            say(element.text, element)
            continue
        if tag in BLOCKS and (unit := close()):
            yield unit
        links -= tag == "a" and links > 0
        if element is not root:
            say(element.tail, element.getparent())
    if unit := close():
        yield unit


def _common(elements: list[Any]) -> Any:
    """The smallest element around all of these."""
    first = elements[0]
    chain = [first, *first.iterancestors()]
    for other in elements[1:]:
        around = {other, *other.iterancestors()}
        while chain[0] not in around:
            chain.pop(0)
    return chain[0]


REPEATED = 3  # pages that must show the same text before it is boilerplate
REPEATED_SHARE = 0.05  # of the pages, where there are many
FEW = 0.4  # of the pages; a heading that more have is the site's
PROSE_WORDS = 8
CARD_WORDS = 100  # a box with a headline that links elsewhere; longer ones are stories
SMALL_CARD = 40  # with a headline of a word or two
CAPTION_WORDS = 45
HEADINGS = ("h2", "h3", "h4", "h5", "h6", "b", "strong")
NEVER_DROPPED = ("", "label")  # a short line inside the text may be its subheading
_SENTENCE = re.compile(r"[.!;?…:»”\"')\]。！？」』।؟۔]$")


def label_units(pages: Sequence[ParsedPage]) -> None:
    """Weigh the units of pages of one layout, and say why one is not of the story."""
    for page in pages:
        boxes: dict[Any, bool] = {}
        for unit in page.units:
            unit.reject_reason = _reject_reason(page, unit, boxes)
    # Teasers do not count: what one promotes on many pages stands as a story on its own.
    spread = Counter(
        text
        for page in pages
        for text in {u.folded for u in page.units if u.reject_reason in NEVER_DROPPED}
    )
    often = max(REPEATED, REPEATED_SHARE * len(pages))
    for page in pages:
        for unit in page.units:
            seen = spread[unit.folded]
            if (
                seen >= often
                and unit.reject_reason in NEVER_DROPPED
                and not _is_heading(unit, seen / len(pages))
            ):
                unit.reject_reason = "repeats"
            unit.weight = -unit.words if unit.reject_reason else unit.words


def _is_heading(unit: TextUnit, share: float) -> bool:
    """Subheadings such as "The background" come again, but not on most pages."""
    return unit.owner.tag in HEADINGS and unit.words < PROSE_WORDS and share < FEW


def _reject_reason(page: ParsedPage, unit: TextUnit, boxes: dict[Any, bool]) -> str:
    if unit.linked * 2 > unit.words:
        return "link"
    if unit.folded == page.link_text:
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
