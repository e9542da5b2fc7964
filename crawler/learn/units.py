"""The text of a page in units (what a reader takes for one paragraph or label), with their place.

`Page` numbers the elements of a parsed page, so that "stands inside" is a comparison of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.paragraphs import BLOCKS, SILENT
from exchange.text.fold import fold


@dataclass(slots=True)
class TextUnit:
    """One run of text between block boundaries or double line breaks."""

    text: str
    owner: Any  # the smallest element that holds all of it
    linked: int  # words that stand in links
    folded: str = ""
    words: int = 0
    weight: int = 0  # words if it is of the story, minus words if it is not
    why: str = ""  # it is not of the story: repeats, link, title, box, date, label

    def __post_init__(self) -> None:
        self.folded = fold(self.text)
        self.words = len(self.text.split())


@dataclass(slots=True)
class ParsedPage:
    """A parsed page with its units in reading order."""

    url: str
    root: Any
    issue: str = ""  # the date that an address or index gave, "" when none did
    told: str = ""  # the headline, as the links that lead here say it
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
    """Walks as `crawler.extract.paragraphs` does, and remembers where each piece stood."""
    from lxml import etree

    pieces: list[tuple[str, Any]] = []
    links = 0
    breaks = 0
    linked: list[str] = []

    def close() -> TextUnit | None:
        nonlocal breaks
        text = clean("".join(piece for piece, _ in pieces))
        holders = [holder for piece, holder in pieces if piece.strip()]
        made = TextUnit(text, _common(holders), len(" ".join(linked).split())) if text else None
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
