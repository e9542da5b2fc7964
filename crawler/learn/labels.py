"""Which units are of the story, and why one is not: what changes from page to page, reads like
prose, and is neither a link's text nor in a box that leads elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice

from crawler.learn.units import ParsedPage, Place, TextUnit
from exchange.text import dates
from exchange.text.fold import fold
from exchange.text.scripts import FULL_STOPS, QUESTION_MARKS

WordRun = tuple[str, str, str, str]
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
_ENDS = (*FULL_STOPS, *QUESTION_MARKS, *":»”\"')]」』")


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
            heading = unit.reject_reason == "label" and unit.tag in HEADINGS
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
    return unit.tag in HEADINGS and unit.words < PROSE_WORDS and share < FEW


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
    prose = unit.words >= PROSE_WORDS and unit.text.endswith(_ENDS)
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
