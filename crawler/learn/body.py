"""Where a layout's text stands: what changes from page to page is content, what repeats is not.

Every unit of text is weighed in words: of the story above zero, furniture below. An XPath is as
good as the weight it gathers over all pages of the layout.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.learn.candidates import ranked, relative
from crawler.learn.units import Page, Unit
from exchange.text import dates

REPEATED = 3  # pages that must show the same text before it is furniture
SHARE = 0.05  # of the pages, where there are many
PROSE_WORDS = 8
CARD_WORDS = 100  # a box with a headline that links elsewhere; longer ones are stories
SMALL_CARD = 40  # with a headline of a word or two
CAPTION_WORDS = 45
BAD_COSTS = 1.5  # a word too many is worse than a word too few: it is taught to the model
DROP_COSTS = 0.01  # each XPath to cut out is one that may fail on pages not seen
LOOKED_AT = 12  # pages whose elements are turned into candidates; all pages judge them
ALWAYS = 0.9  # of the pages; what fewer have is no part of the layout
MOSTLY = 0.75
FEWEST_TAILS = 4
FINALISTS = 6  # XPaths that are looked at more closely
HEADINGS = ("h2", "h3", "h4", "h5", "h6", "b", "strong")
FEW = 0.4
STAYS = ("", "label")  # a short line inside the text may be its subheading
Left = set[tuple[int, int]]
_SENTENCE = re.compile(r"[.!;?…:»”\"')\]]$")


@dataclass(frozen=True, slots=True)
class Body:
    """XPaths of the text and of what is cut out of it; `share` of the story words they hold."""

    text: str
    drop: tuple[str, ...]
    share: float


def label(pages: Sequence[Page]) -> None:
    """Weigh the units of pages of one layout, and say why one is not of the story."""
    for page in pages:
        boxes: dict[Any, bool] = {}
        for unit in page.units:
            unit.why = _why_not(page, unit, boxes)
    # Teasers do not count: what one promotes on many pages stands as a story on its own.
    spread = Counter(
        text for page in pages for text in {u.folded for u in page.units if u.why in STAYS}
    )
    often = max(REPEATED, SHARE * len(pages))
    for page in pages:
        for unit in page.units:
            seen = spread[unit.folded]
            if seen >= often and unit.why in STAYS and not _is_heading(unit, seen / len(pages)):
                unit.why = "repeats"
            unit.weight = -unit.words if unit.why else unit.words


def _is_heading(unit: Unit, share: float) -> bool:
    """Subheadings such as "The background" come again, but not on most pages."""
    return unit.owner.tag in HEADINGS and unit.words < PROSE_WORDS and share < FEW


def _why_not(page: Page, unit: Unit, boxes: dict[Any, bool]) -> str:
    if unit.linked * 2 > unit.words:
        return "link"
    if unit.folded == page.told:
        return "title"
    if _boxed(page, unit, boxes):
        return "box"
    if unit.words <= 10 and dates.parse(unit.text) and not unit.text.endswith("."):
        return "date"
    prose = unit.words >= PROSE_WORDS and _SENTENCE.search(unit.text)
    return "" if prose or unit.words >= 2 * PROSE_WORDS else "label"


def _boxed(page: Page, unit: Unit, known: dict[Any, bool]) -> bool:
    """Is the unit a picture's caption, or part of a card that leads to another story?"""
    for element in [unit.owner, *list(unit.owner.iterancestors())[:2]]:
        if element not in known:
            known[element] = _is_box(page, element)
        if known[element]:
            return True
    return False


def _is_box(page: Page, element: Any) -> bool:
    held = [unit for unit in page.units if page.inside(unit, [element])]
    words = sum(unit.words for unit in held)
    if words <= CAPTION_WORDS and len(held) <= 2 and element.find(".//img") is not None:
        return element.tag != "p" or words < 2 * PROSE_WORDS
    if not 1 < len(held) <= 4 or words > CARD_WORDS:
        return False
    first = held[0]
    leads = first.linked * 2 > first.words
    return leads and (first.linked * 5 >= words if first.linked > 2 else words <= SMALL_CARD)


class Coverage:
    """Which words of a layout's pages an XPath gathers; every XPath is asked once."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = pages
        self._found: dict[str, list[list[Any]]] = {}
        self._weights: dict[str, list[tuple[int, int]]] = {}
        self.good = [sum(u.weight for u in page.units if u.weight > 0) for page in pages]

    def elements(self, path: str) -> list[list[Any]]:
        """The elements that the XPath names, page by page."""
        if path not in self._found:
            from lxml import etree

            find = etree.XPath(path)
            self._found[path] = [
                [e for e in find(page.root) if e in page.span] for page in self.pages
            ]
        return self._found[path]

    def weights(self, path: str) -> list[tuple[int, int]]:
        """Words of the story and words of furniture inside, page by page."""
        if path not in self._weights:
            self._weights[path] = [
                _sums(unit for unit in page.units if found and page.inside(unit, found))
                for page, found in zip(self.pages, self.elements(path), strict=True)
            ]
        return self._weights[path]

    def score(self, path: str, left: Left | None = None) -> float:
        """Mean over the pages: 1 for all of the story and nothing else.

        Args:
            left: the furniture inside that counts; default: all of it.
        """
        values = []
        for number, (good, bad) in enumerate(self.weights(path)):
            if left is not None:
                units = self.pages[number].units
                kept = {place for at, place in left if at == number}
                bad = sum(units[place].words for place in kept) + self._labels(path, number)
            total = self.good[number]
            values.append(max(-1.0, (good - BAD_COSTS * bad) / total) if total else 0.0)
        return sum(values) / len(values)

    def _labels(self, path: str, number: int) -> int:
        page, found = self.pages[number], self.elements(path)[number]
        return sum(u.words for u in page.units if u.why == "label" and page.inside(u, found))

    def matches(self, path: str) -> float:
        return sum(map(len, self.elements(path))) / len(self.pages)


def _sums(units: Iterable[Unit]) -> tuple[int, int]:
    good = bad = 0
    for unit in units:
        if unit.weight > 0:
            good += unit.weight
        else:
            bad -= unit.weight
    return good, bad


def find(pages: Sequence[Page]) -> Body | None:
    """The body of a layout; None when no XPath gathers half of what seems to be text.

    Containers are judged by what is left when all has been cut out of them that can be.
    """
    coverage = Coverage(pages)
    paths = _candidates(pages)
    while _demote_tails(coverage, paths):  # what was demoted may have hidden another tail
        coverage = Coverage(pages)
    if not any(coverage.good):
        return None
    order = sorted(
        paths, key=lambda p: (-round(coverage.score(p), 3), coverage.matches(p), paths[p], p)
    )
    finalists = _finalists(coverage, order)
    finalists += [f"{lead} | {p}" for p in finalists if (lead := _lead(coverage, p, order))]
    drops = {path: _drops(coverage, path) for path in finalists}
    scores = {
        path: coverage.score(path, left) - DROP_COSTS * len(cut)
        for path, (cut, left) in drops.items()
    }
    best = min(
        drops, default="",
        key=lambda p: (-round(scores[p], 2), coverage.matches(p), paths.get(p, 0), p),
    )  # fmt: skip
    if not best or scores[best] <= 0:
        return None
    words = sum(good for good, _ in coverage.weights(best))
    return Body(best, tuple(drops[best][0]), words / sum(coverage.good))


def _finalists(coverage: Coverage, order: list[str]) -> list[str]:
    """The best as they are, and the containers that hold most; one of each that are alike."""
    whole = sorted(
        (path for path in order if coverage.matches(path) <= 1.2),
        key=lambda p: -sum(good for good, _ in coverage.weights(p)),
    )
    chosen: dict[tuple[tuple[int, int], ...], str] = {}
    for path in [*order[:FINALISTS], *whole[: 4 * FINALISTS]]:
        chosen.setdefault((*coverage.weights(path), (round(coverage.matches(path)), 0)), path)
    return list(chosen.values())[: 2 * FINALISTS]


def _demote_tails(coverage: Coverage, paths: dict[str, int]) -> bool:
    """Readers' comments read like text, but not every page has them and nothing follows them."""
    pages, found_any = coverage.pages, False
    for path in paths:
        if "@" not in path.rpartition("/")[2]:
            continue  # a paragraph by its place: short stories have no third one
        held = [good for good, _ in coverage.weights(path)]
        having = [number for number, good in enumerate(held) if good]
        if not FEWEST_TAILS <= len(having) < ALWAYS * len(pages):
            continue
        if sum(held) < 2 * PROSE_WORDS * len(having):
            continue
        last = [_is_last(pages[n], coverage.elements(path)[n]) for n in having]
        if sum(last) < MOSTLY * len(last):
            continue
        for page, found in zip(pages, coverage.elements(path), strict=True):
            for unit in page.units:
                if unit.weight > 0 and page.inside(unit, found):
                    unit.why, unit.weight = "comment", -unit.words
                    found_any = True
    return found_any


def _is_last(page: Page, elements: Sequence[Any]) -> bool:
    """Does other text stand before the elements, and none after the first of them?"""
    first = min(page.span[element][0] for element in elements)
    others = [u for u in page.units if not page.inside(u, elements)]
    before = [u.weight > 0 for u in others if page.span[u.owner][0] < first]
    after = [u.weight > 0 for u in others if page.span[u.owner][0] >= first]
    return any(before) and not any(after)


def _candidates(pages: Sequence[Page]) -> dict[str, int]:
    """XPaths worth asking, with the order in which their element offered them (plainest first)."""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    sample = spread_out(pages, LOOKED_AT)
    for page in sample:
        elements: set[Any] = set()
        for unit in page.units:
            if unit.weight > 0:
                elements.update(_up(unit.owner))
        paths: set[str] = set()
        for element in elements:
            for path, rank in ranked(element):
                paths.add(path)
                order[path] = min(rank, order.get(path, rank))
        seen.update(paths)
    least = max(1, len(sample) // 3)
    return {path: order[path] for path, count in seen.items() if count >= least}


def _up(element: Any) -> Iterable[Any]:
    while element is not None and element.tag not in ("body", "html"):
        yield element
        element = element.getparent()


def spread_out(items: Sequence[Any], count: int) -> list[Any]:
    """At most `count` items, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _lead(coverage: Coverage, best: str, order: list[str]) -> str:
    """A paragraph that stands by itself between headline and text, on most pages."""
    for path in order:
        if coverage.matches(path) > 1.2 or path == best:
            continue
        weights = coverage.weights(path)
        if sum(good > 0 and not bad for good, bad in weights) < 0.7 * len(weights):
            continue
        if all(
            _just_before(page, lead[0], text[0])
            for page, lead, text in zip(
                coverage.pages, coverage.elements(path), coverage.elements(best), strict=True
            )
            if lead and text
        ):
            return path
    return ""


def _just_before(page: Page, lead: Any, text: Any) -> bool:
    """No more than a label or two stand between the end of `lead` and the beginning of `text`."""
    end, start = page.span[lead][1], page.span[text][0]
    if end >= start:
        return False
    between = [u for u in page.units if end < page.span[u.owner][0] < start]
    return len(between) <= 3 and not any(unit.weight > 0 for unit in between)


def _drops(coverage: Coverage, text: str) -> tuple[list[str], Left]:
    """XPaths, inside the text, of what is not of the story; none that costs a story's word.

    Returns:
        The XPaths, and the bad units (page, unit) that they leave in.
    """
    paths: dict[str, None] = {}
    left: Left = set()
    for number, (page, found) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        inside = set(found)
        for place, unit in enumerate(page.units):
            if unit.why in STAYS or not page.inside(unit, found):
                continue
            left.add((number, place))
            element = unit.owner
            while element is not None and element not in inside:
                paths.update(dict.fromkeys(relative(element)))
                element = element.getparent()
    gains = {path: _gain(coverage, text, path) for path in paths}
    chosen: list[str] = []
    while left:
        # One with a name first: a bare `.//p` may cut text out of pages not seen here.
        useful = [path for path, gained in gains.items() if len(gained & left) > 1]
        path = max(useful, key=lambda p: ("@" in p, len(gains[p] & left), -len(p), p), default="")
        if not path:
            break
        chosen.append(path)
        left -= gains.pop(path)
    return chosen, left


def _gain(coverage: Coverage, text: str, path: str) -> set[tuple[int, int]]:
    """The bad units that dropping `path` would remove; none at all if it removed a good one."""
    from lxml import etree

    find = etree.XPath(path)
    gained: set[tuple[int, int]] = set()
    for number, (page, roots) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        found = [element for root in roots for element in find(root) if element in page.span]
        if not found:
            continue
        for place, unit in enumerate(page.units):
            if page.inside(unit, found):
                if unit.weight > 0:
                    return set()
                gained.add((number, place))
    return gained
