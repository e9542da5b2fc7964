"""The text of a page in units (what a reader takes for one paragraph or label), and which of them
are of the story: what changes from page to page, reads like prose, and is neither a link's text nor
in a box that leads elsewhere.

`ParsedPage` numbers the elements of a page, so that "stands inside" is a comparison of numbers.
Every unit is weighed in words: of the story above zero, boilerplate below.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, islice
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.html import BLOCKS, SILENT, paragraphs
from crawler.extract.metadata import PageMetadata, read_metadata
from crawler.learn.xpaths import ElementTable, Found, outermost
from exchange.text import dates
from exchange.text.fold import fold
from exchange.text.scripts import count_words


@dataclass(slots=True)
class TextUnit:
    """One run of text between block boundaries or double line breaks."""

    text: str
    owner: Any  # the smallest element that holds all of it
    linked: int  # words that stand in links
    at: int = -1  # the owner's number on its page
    folded: str = ""
    words: int = 0
    weight: int = 0  # words if it is of the story, minus words if it is not
    reject_reason: str = (
        ""  # it is not of the story: repeats, link, title, byline, box, date, label, doubled
    )

    def __post_init__(self) -> None:
        self.folded = fold(self.text)
        self.words = count_words(self.text)


WordRun = tuple[str, str, str, str]
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
        self.units = list(_units(self.root))
        for unit in self.units:
            unit.at = self.table.number[unit.owner]
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
        """As the page names it, ISO 639; "" where it does not."""
        return (self.root.get("lang") or "").strip().lower()[:2]

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


LONGEST_FIELD = 400  # characters of a headline, a date's line, a list of authors
REPEATED = 3  # pages that must show the same text before it is boilerplate
REPEATED_SHARE = 0.05  # of the pages, where there are many
VARIED = 0.4  # different texts, of all that stand in one place on the pages; in stories more
FEW = 0.4  # of the pages; a heading that more have is the site's
PROSE_WORDS = 8
CARD_WORDS = 100  # a box with a headline that links elsewhere; longer ones are stories
SMALL_CARD = 40  # with a headline of a word or two
CAPTION_WORDS = 45
HEADINGS = ("h2", "h3", "h4", "h5", "h6", "b", "strong")
MINOR = 0.2  # of the words: so little may stand in a place that is none of the story's
BYLINE_WORDS, BESIDE_NAMES = 30, 6  # of a line that says who wrote it, and where or what for
BOXES = ("figcaption", "figure", "nav")
NEVER_DROPPED = ("", "label", "doubled")  # a short line in the text may be its subheading
_SENTENCE = re.compile(r"[.!;?…:»”\"')\]。！？」』।؟۔]$")


def label_units(pages: Sequence[ParsedPage]) -> None:
    """Weigh the units of pages of one layout, and say why one is not of the story."""
    for page in pages:
        boxes: dict[int, bool] = {}
        for unit in page.units:
            unit.reject_reason = _reject_reason(page, unit, boxes)
    _label_repeated(pages)
    _label_varied(pages)
    _label_doubled(pages)
    _unlabel_short_paragraphs(pages)
    for page in pages:
        for unit in page.units:
            unit.weight = -unit.words if unit.reject_reason else unit.words
            heading = unit.reject_reason == "label" and unit.owner.tag in HEADINGS
            if heading or unit.reject_reason == "doubled":
                unit.weight = 0  # its surroundings decide


def _label_repeated(pages: Sequence[ParsedPage]) -> None:
    """What comes again from page to page, unless nearly all of its place does: then it is quoted.

    Teasers do not count: what one promotes on many pages stands as a story on its own.
    """
    spread: Counter[str] = Counter()
    places: dict[Place, Counter[str]] = defaultdict(Counter)
    for page in pages:
        seen: set[str] = set()
        for unit in page.units:
            if unit.reject_reason in NEVER_DROPPED and unit.folded not in seen:
                seen.add(unit.folded)
                places[page.place(unit.at)][unit.folded] += 1
        spread.update(seen)
    usual: Counter[str] = Counter()
    for counts in places.values():
        often_here = _usual(counts)
        for text in counts:
            usual[text] = max(usual[text], often_here)
    often = max(REPEATED, REPEATED_SHARE * len(pages))
    for page in pages:
        for unit in page.units:
            count = spread[unit.folded]
            if count < often or unit.reject_reason not in NEVER_DROPPED:
                continue
            share = count / len(pages)
            if _is_heading(unit, share):
                continue
            if share >= FEW or count > 2 * usual[unit.folded]:
                unit.reject_reason = "repeats"


def _usual(counts: Counter[str]) -> int:
    """How often nearly every text of a place comes; 0 where few texts take turns."""
    if len(counts) < VARIED * counts.total():
        return 0
    return sorted(counts.values())[int(0.95 * len(counts))]


def _label_varied(pages: Sequence[ParsedPage]) -> None:
    """What comes again but for a name or a number: "A. Name writes about politics for us".

    Only where little stands: stories that are all told in the same words are stories still.
    """
    spread: Counter[WordRun] = Counter()
    words: Counter[Place] = Counter()
    for page in pages:
        good = [unit for unit in page.units if not unit.reject_reason]
        spread.update({run for unit in good for run in _word_runs(unit)})
        for unit in good:
            words[page.place(unit.at)] += unit.words
    least = max(REPEATED, FEW * len(pages))
    small = {place for place, count in words.items() if count < MINOR * words.total()}
    for page in pages:
        for unit in page.units:
            if not unit.reject_reason and page.place(unit.at) in small:
                runs = _word_runs(unit)
                if sum(spread[run] >= least for run in runs) > 0.5 * len(runs):
                    unit.reject_reason = "repeats"


def _word_runs(unit: TextUnit) -> set[WordRun]:
    words = unit.folded.split()
    return set(zip(words, words[1:], words[2:], words[3:], strict=False))


def _unlabel_short_paragraphs(pages: Sequence[ParsedPage]) -> None:
    """A few words that stand where long paragraphs do are one too."""
    good: Counter[Place] = Counter()
    other: Counter[Place] = Counter()
    labels = [
        (page, unit) for page in pages for unit in page.units if unit.reject_reason == "label"
    ]
    for page in pages:
        for unit in page.units:
            (other if unit.reject_reason else good)[page.place(unit.at)] += 1
    for page, unit in labels:
        place = page.place(unit.at)
        if good[place] > 2 * max(other[place], len(pages)):
            unit.reject_reason = ""


def _label_doubled(pages: Sequence[ParsedPage]) -> None:
    """What a page prints twice counts once: where most of the text stands, not in its summary.

    A place of which half is printed elsewhere too is such a summary; else it is chance.
    """
    words: Counter[Place] = Counter()
    count: Counter[Place] = Counter()
    for page in pages:
        for unit in page.units:
            if not unit.reject_reason:
                words[page.place(unit.at)] += unit.words
                count[page.place(unit.at)] += 1
    again: dict[Place, list[TextUnit]] = defaultdict(list)
    for page in pages:
        best: dict[str, TextUnit] = {}
        for unit in page.units:
            if unit.reject_reason:
                continue
            first = best.setdefault(unit.folded, unit)
            if first is unit:
                continue
            if words[page.place(unit.at)] > words[page.place(first.at)]:
                best[unit.folded], unit = unit, first
            again[page.place(unit.at)].append(unit)
    for place, doubled in again.items():
        for unit in doubled:
            unit.reject_reason = "repeats" if 2 * len(doubled) >= count[place] else "doubled"


def _is_heading(unit: TextUnit, share: float) -> bool:
    """Subheadings such as "The background" come again, but not on most pages."""
    return unit.owner.tag in HEADINGS and unit.words < PROSE_WORDS and share < FEW


def _reject_reason(page: ParsedPage, unit: TextUnit, boxes: dict[int, bool]) -> str:
    if unit.linked * 2 > unit.words:
        return "link"
    if unit.folded in (page.link_text, fold(page.told.title)) or unit.at == page.headline:
        return "title"
    if unit.words <= BYLINE_WORDS and _names_an_author(page, unit):
        return "byline"
    if _boxed(page, unit, boxes):
        return "box"
    if unit.words <= 10 and dates.parse_date(unit.text) and not unit.text.endswith("."):
        return "date"
    prose = unit.words >= PROSE_WORDS and _SENTENCE.search(unit.text)
    return "" if prose or unit.words >= 2 * PROSE_WORDS else "label"


def _names_an_author(page: ParsedPage, unit: TextUnit) -> bool:
    """Is there little but the names that the page's tags tell, "by A. Name and B. Name, Paris"?"""
    told = fold(f"{page.told.author}, {page.told.signed}")
    names = [name.strip() for name in told.split(",") if name.strip()]
    spoken = [name for name in names if re.search(rf"\b{re.escape(name)}\b", unit.folded)]
    rest = unit.words - sum(len(name.split()) for name in spoken)
    return bool(spoken) and rest <= BESIDE_NAMES


def _boxed(page: ParsedPage, unit: TextUnit, known: dict[int, bool]) -> bool:
    """Is the unit a picture's caption, or part of a card that leads to another story?"""
    for number in islice(page.table.ancestors(unit.at), 3):
        if number not in known:
            known[number] = _is_box(page, number)
        if known[number]:
            return True
    return False


def _is_box(page: ParsedPage, number: int) -> bool:
    element = page.table.elements[number]
    if element.tag in BOXES:
        return True
    held = page.units_inside(number)
    words = sum(unit.words for unit in held)
    if words <= CAPTION_WORDS and len(held) <= 2 and element.find(".//img") is not None:
        return element.tag != "p" or words < 2 * PROSE_WORDS
    if not 1 < len(held) <= 4 or words > CARD_WORDS:
        return False
    first = held[0]
    leads = first.linked * 2 > first.words
    return leads and (first.linked * 5 >= words if first.linked > 2 else words <= SMALL_CARD)
