"""Where headline, date, section and author stand: short texts, judged by how they vary.

A headline differs on every page and agrees with the page's own title or with the links that lead
there; a date parses; a section is one of a few; an author's name is capitalised words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crawler.extract.charset import clean
from crawler.learn.authors import find_author, right_authors
from crawler.learn.coverage import (
    SAMPLE_PAGES,
    TOLD,
    XPathCoverage,
    XPathValues,
    days,
    spread_out,
    vary,
)
from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import Found
from crawler.profile import ValueSelector
from exchange.text import dates
from exchange.text.fold import fold
from exchange.text.scripts import count_words

LONGEST = 30  # words of a field
DATE_WORDS = 16  # of a date's line; a sentence with a date in it is no date of the page
ENOUGH = 0.6  # of the pages must have it
AUTHORS = 0.3  # many stories are not signed
_UNSEEN = ("script", "style", "title", "head", "html", "body")
_ATTRIBUTES = ("//meta[@property]", "//meta[@name]", "//meta[@itemprop]", "//time[@datetime]")


@dataclass(frozen=True)
class FieldSelectors:
    """Selectors by name; a missing one was not found."""

    title: ValueSelector | None = None
    date: ValueSelector | None = None
    section: ValueSelector | None = None
    author: ValueSelector | None = None


def find_fields(pages: Sequence[ParsedPage], text: str, drop: Sequence[str] = ()) -> FieldSelectors:
    """The fields of a layout whose text stands at the XPath `text`, without what `drop` names.

    A date or an author that the pages' tags tell rightly needs no selector: it is read anyway.
    """
    coverage = XPathCoverage(pages)
    short = coverage.distinct(_short(pages, _outside(coverage, text, drop)))
    found = [_values(coverage, path, rank, None) for path, rank in short.items()]
    found = [values for values in found if values.present >= AUTHORS]
    title = _title(pages, found)
    places = coverage.elements(title.path) if title else None
    found = [_values(coverage, v.path, v.rank, places) for v in found] if places else found
    date = _date(pages, found)
    taken = {v.path for v in (title, date) if v}
    found = [v for v in found if v.path not in taken and not _any_date(pages, v)]
    author = find_author(pages, found)
    section = _section([v for v in found if not author or v.texts != author[0].texts])
    told = [page.told for page in pages]
    by_tags = right_authors(pages, author)
    return FieldSelectors(
        _selector(title) or (None if vary([t.title for t in told]) else _from_head(pages)),
        None
        if date is None or _agree([t.date for t in told], days(pages, date))
        else _selector(date),
        None if all(t.section for t in told) else _selector(section),
        ValueSelector(xpath=author[0].path, match=author[1]) if author and not by_tags else None,
    )


def _any_date(pages: Sequence[ParsedPage], values: XPathValues) -> bool:
    return any(days(pages, values))


def _agree(told: Sequence[str], found: Sequence[str]) -> bool:
    return sum(map(str.__eq__, told, found)) >= TOLD * len(told)


def find_story_fields(
    pages: Sequence[ParsedPage], story: str, text: str, drop: Sequence[str] = ()
) -> FieldSelectors:
    """The fields of pages that hold several stories, as XPaths from a story's element.

    A page's date stands once, over all of them, so its XPath stays one from the root.
    """
    parts = [
        ParsedPage(page.url, page.table.elements[element], page.issue)
        for page, elements in zip(pages, XPathCoverage(pages).elements(story), strict=True)
        for element in elements
    ]
    own, common = find_fields(parts, text, drop), find_fields(pages, text, drop)

    def inside(selector: ValueSelector | None) -> ValueSelector | None:
        if selector is None or selector.xpath == "//title":
            return None
        return ValueSelector(xpath=f".{selector.xpath}", match=selector.match)

    return FieldSelectors(inside(own.title), common.date, inside(own.section), inside(own.author))


def _selector(values: XPathValues | None) -> ValueSelector | None:
    return ValueSelector(xpath=values.path) if values else None


def _outside(coverage: XPathCoverage, text: str, drop: Sequence[str]) -> list[list[int]]:
    """Of each page the elements that hold no word of the story as it is extracted."""
    made: list[list[int]] = []
    for page, found in zip(coverage.pages, coverage.elements(text), strict=True):
        cut = [number for path in drop for number in page.table.find_inside(path, found)]
        story = [
            page.units[place].at
            for place in page.places_inside(found)
            if page.units[place].weight > 0 and not page.inside(page.units[place], cut)
        ]
        held = {number for at in story for number in page.table.ancestors(at)}
        told = set(story)
        made.append(
            [
                number
                for number in range(len(page.table.elements))
                if number not in held and told.isdisjoint(page.table.ancestors(number))
            ]
        )
    return made


def _short(pages: Sequence[ParsedPage], outside: Sequence[list[int]]) -> dict[str, int]:
    """XPaths of elements with a short text of their own, not of the story's text, by plainness."""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    chosen = spread_out(list(zip(pages, outside, strict=True)), SAMPLE_PAGES)
    texts = [
        [n for n in numbers if page.table.tag(n) not in _UNSEEN and _is_short(page.text(n))]
        for page, numbers in chosen
    ]
    same = Counter(
        known
        for (page, _), numbers in zip(chosen, texts, strict=True)
        for known in {(page.place(n), page.text(n)) for n in numbers}
    )
    for (page, _), numbers in zip(chosen, texts, strict=True):
        paths: set[str] = set()
        for number in numbers:
            if same[page.place(number), page.text(number)] > TOLD * len(chosen):
                continue  # a menu's
            for path, rank in page.table.ranked(number):
                paths.add(path)
                order[path] = min(rank, order.get(path, rank))
        seen.update(paths)
    least = max(2, AUTHORS * len(chosen))
    return {path: order[path] for path, count in seen.items() if count >= least}


def _is_short(text: str) -> bool:
    return bool(text) and count_words(text) <= LONGEST


def _values(
    coverage: XPathCoverage, path: str, rank: int, heads: list[Found] | None
) -> XPathValues:
    texts: list[str] = []
    counts: list[int] = []
    far: list[int] = []
    for number, (page, elements) in enumerate(
        zip(coverage.pages, coverage.elements(path), strict=True)
    ):
        held = [(e, text) for e in elements if (text := page.text(e))]
        texts.append(held[0][1] if held else "")
        if held:
            counts.append(len(held))
            if heads and heads[number]:
                far.append(abs(held[0][0] - heads[number][0]))
    return XPathValues(
        path,
        rank,
        tuple(texts),
        sum(counts) / max(1, len(counts)),
        sum(far) / len(far) if far else 99.0,
    )


def _best(
    found: list[XPathValues], score: Callable[[XPathValues], float], least: float
) -> XPathValues | None:
    """The highest score; among equals the one with fewest matches, then the plainest XPath."""
    ranked = [(round(score(v), 2), v) for v in found]
    ranked = [(value, v) for value, v in ranked if value >= least]
    return min(
        ranked, key=lambda i: (-i[0], i[1].matches, i[1].rank, len(i[1].path)), default=(0, None)
    )[1]


def _title(pages: Sequence[ParsedPage], found: list[XPathValues]) -> XPathValues | None:
    heads = [fold("".join(page.root.xpath("string(//title)"))) for page in pages]
    told = [fold(page.told.title) for page in pages]
    sure = vary(told)

    def score(values: XPathValues) -> float:
        if values.distinct < 0.5 * sum(map(bool, values.texts)) or values.matches > 2:
            return 0.0
        right = 0.0
        for text, page, head, tag in zip(values.texts, pages, heads, told, strict=True):
            bare = fold(text)
            if page.link_text:
                right += bare == page.link_text
            else:
                right += bool(bare) and (
                    bare == head
                    or (sure and bare == tag)
                    or (count_words(bare) > 1 and bare in head)
                )
        return right / len(pages)

    best = _best(found, score, ENOUGH)
    if best or sure or _from_head(pages):
        return best
    return _best(found, _looks_like_a_title, ENOUGH)


def _looks_like_a_title(values: XPathValues) -> float:
    """Without anything to compare with: short, different everywhere, set large."""
    if values.distinct < 0.7 * len(values.texts) or values.matches > 1.1:
        return 0.0
    short = [2 <= count_words(t) <= 20 and not dates.parse_date(t) for t in values.texts]
    large = re.search(r'/(h[1-4]\b|b\b)|size="[4-7]"', values.path) is not None
    return sum(short) / len(short) * (1.0 if large else 0.7)


def _from_head(pages: Sequence[ParsedPage]) -> ValueSelector | None:
    """The page's own title without what all pages add to it."""
    heads = [clean(page.root.xpath("string(//title)")) for page in pages]
    ends: Counter[str] = Counter()
    for head in heads:
        parts = re.split(r"\s([-|–:])\s", head)
        if len(parts) > 2:
            ends["".join(f" {parts[-2]} {parts[-1]}")] += 1
    if len(set(heads)) < 0.8 * len(heads):
        return None
    end, count = ends.most_common(1)[0] if ends else ("", 0)
    match = f"^(.+?){re.escape(end)}$" if count >= 0.9 * len(heads) else ""
    return ValueSelector(xpath="//title", match=match)


def _date(pages: Sequence[ParsedPage], found: list[XPathValues]) -> XPathValues | None:
    told = [page.told.date for page in pages]
    sure = len(set(told)) > 1 and sum(map(bool, told)) >= TOLD * len(told)

    def score(values: XPathValues) -> float:
        read = days(pages, values)
        long = sum(count_words(t) > DATE_WORDS or t.endswith(".") for t in values.texts)
        if len(set(read)) < 2 or values.matches > 2 or long > 0.1 * len(read):
            return 0.0
        known = [(r, page.issue) for r, page in zip(read, pages, strict=True) if page.issue]
        known = known or (list(zip(read, told, strict=True)) if sure else [])
        agree = sum(r == issue for r, issue in known) / len(known) if known else 1.0
        return sum(map(bool, read)) / len(read) * agree - 0.001 * min(values.near, 100)

    return _best([*found, *_attributes(pages)], score, ENOUGH)


def _attributes(pages: Sequence[ParsedPage]) -> list[XPathValues]:
    """Dates that stand in attributes: `<time datetime>`, `<meta content>`."""
    paths: Counter[str] = Counter()
    for page in spread_out(pages, SAMPLE_PAGES):
        for path in _ATTRIBUTES:
            for element in page.root.xpath(path):
                name = path.partition("@")[2].rstrip("]")
                if element.tag == "time":
                    paths["//time/@datetime"] += 1
                elif dates.parse_date(element.get("content") or ""):
                    paths[f'//meta[@{name}="{element.get(name)}"]/@content'] += 1
    made = []
    for path in paths:
        found = [page.root.xpath(path) for page in pages]
        texts = tuple(clean(str(items[0])) if items else "" for items in found)
        made.append(XPathValues(path, -1, texts, sum(map(len, found)) / len(found), 0.0))
    return made


def _section(found: list[XPathValues]) -> XPathValues | None:
    def score(values: XPathValues) -> float:
        texts = [text for text in values.texts if text]
        short = sum(count_words(t) <= 4 and not re.search(r"\d|[.!;]$", t) for t in texts)
        few = 2 <= values.distinct <= max(3, 0.6 * len(texts))
        if not few or values.matches > 1.2 or short < 0.9 * len(texts):
            return 0.0
        return values.present - 0.005 * min(values.near, 40)

    return _best(found, score, ENOUGH)
