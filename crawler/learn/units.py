"""The text of a page in units: what a reader takes for one paragraph or label.

`ParsedPage` numbers the elements of a page, so that "stands inside" is a comparison of numbers.
Every unit is weighed in words: of the story above zero, boilerplate below.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, islice
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.html import BLOCKS, SILENT, paragraphs
from crawler.extract.metadata import PageMetadata, page_language, read_metadata
from crawler.learn.xpaths import ElementTable, Found, outermost
from exchange.text.detect import language_code
from exchange.text.fold import fold
from exchange.text.scripts import count_words


@dataclass(slots=True)
class TextUnit:
    """One run of text between block boundaries or double line breaks."""

    text: str
    at: int  # the number of the smallest element that holds all of it
    tag: str  # that element's
    linked: int  # words that stand in links
    folded: str = ""
    words: int = 0
    weight: int = 0  # words if it is of the story, minus words if it is not
    # It is not of the story: repeats, link, title, byline, box, date, label, doubled, comment.
    reject_reason: str = ""

    def __post_init__(self) -> None:
        self.folded = fold(self.text)
        self.words = count_words(self.text)


LONGEST_FIELD = 400  # characters of a headline, a date's line, a list of authors
Place = tuple[tuple[str, ...], ...]
PLACE_DEPTH = 3  # a paragraph, what holds it, and once more


@dataclass
class ParsedPage:
    """A parsed page with its units in reading order."""

    url: str
    root: Any
    issue: str = ""  # the date that an address or index gave, "" when none did
    link_text: str = ""  # the headline, as the links that lead here say it
    units: list[TextUnit] = field(init=False)
    table: ElementTable = field(init=False)
    _texts: dict[int, str] = field(default_factory=dict, init=False)
    _by_owner: list[tuple[int, int]] = field(default_factory=list, init=False)
    _printed: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.table = ElementTable(self.root)
        self.units = list(_units(self.table))
        self._by_owner = sorted((unit.at, place) for place, unit in enumerate(self.units))
        self._printed = _printed_before(self.table)

    @cached_property
    def headline(self) -> int:
        """The number of the `h1` that the title or the links that lead here repeat; or -1."""
        head = fold("".join(self.root.xpath("string(//title)")))
        for number in self.table.find("//h1"):
            text = fold(self.text(number))
            if text and (text == self.link_text or text in head):
                return number
        return -1

    @cached_property
    def language(self) -> str:
        """As the page names it, with its region; "" where it does not."""
        return page_language(self.root, language_code(self.root.get("lang") or ""))

    @cached_property
    def told(self) -> PageMetadata:
        """What the page's tags say, as an extraction completes a story by them."""
        return read_metadata(self.root, self.url, self.language, printed=False)

    def text(self, number: int) -> str:
        """The text of an element as an extraction reads a field's; "" for a long one."""
        known = self._texts.get(number)
        if known is None:
            known = ""
            if self.printed(number) <= LONGEST_FIELD:
                known = " ".join(paragraphs([self.table.elements[number]]))
            self._texts[number] = known
        return known

    def printed(self, number: int) -> int:
        """Characters that a reader sees inside an element, blanks at ends of runs left out."""
        return self._printed[self.table.last[number] + 1] - self._printed[number]

    def place(self, number: int) -> Place:
        """The names of an element and of what stands around it: alike on all pages."""
        return tuple(
            self.table.names[n] or (self.table.tag(n),)
            for n in islice(self.table.ancestors(number), PLACE_DEPTH)
        )

    def inside(self, unit: TextUnit, found: Iterable[int]) -> bool:
        """Does the unit stand wholly inside one of the elements?"""
        return self.table.inside(unit.at, found)

    def units_inside(self, number: int) -> list[TextUnit]:
        """The units of an element, in reading order."""
        return [self.units[place] for place in self.places_inside((number,))]

    def places_inside(self, found: Found) -> list[int]:
        """The places among `units` of those that stand in one of the elements."""
        made: list[int] = []
        for start in outermost(found, self.table.last):
            first = bisect_left(self._by_owner, (start, 0))
            end = bisect_left(self._by_owner, (self.table.last[start] + 1, 0))
            made += [place for _, place in self._by_owner[first:end]]
        return sorted(made)


def _printed_before(table: ElementTable) -> list[int]:
    """Characters that a reader sees before each element, and after the last, on the whole page."""
    own = [0] * (len(table.elements) + 1)
    hidden = range(0)  # the elements of what is not seen; what follows its end tag is
    for number, element in enumerate(table.elements):
        tag = table.tag(number)
        if number not in hidden and (tag in SILENT or not tag):
            hidden = range(number, table.last[number] + 1)
        if number not in hidden:
            own[number + 1] += len((element.text or "").strip())
        if number and (number not in hidden or number == hidden.start):
            own[table.parent[number] + 1] += len((element.tail or "").strip())
    return list(accumulate(own))


def _units(table: ElementTable) -> Iterable[TextUnit]:
    """Walks as `crawler.extract.html` does, and remembers where each piece stood."""
    from lxml import etree

    root = table.elements[0]
    pieces: list[tuple[str, Any]] = []
    links = 0
    breaks = 0
    linked: list[str] = []

    def close() -> TextUnit | None:
        nonlocal breaks
        made = None
        if text := clean("".join(piece for piece, _ in pieces)):
            holders = sorted(table.number[holder] for piece, holder in pieces if piece.strip())
            at = table.common(tuple(holders))
            made = TextUnit(text, at, table.tag(at), count_words(" ".join(linked)))
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
