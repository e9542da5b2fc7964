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
from crawler.learn.coverage import SAMPLE_PAGES, XPathCoverage, XPathValues, spread_out
from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import Found
from crawler.profile import ValueSelector
from exchange.text import dates
from exchange.text.fold import fold

LONGEST = 30  # words of a field
DATE_WORDS = 16  # of a date's line; a sentence with a date in it is no date of the page
ENOUGH = 0.6  # of the pages must have it
AUTHORS = 0.3  # many stories are not signed
TOLD = 0.9  # of the pages, whose tags then are believed
AUTHORS_SAME = 0.8  # of the signed pages may be one person's, where tags tell it
SHOWN = 0.8  # of the names that tags tell
JOINING = 3  # letters of the words between names
_PREFIX = re.compile(r"^([^\W\d_]+(?: [^\W\d_]+)?\s*:)\s*\S")
_NAME = re.compile(r"^(?:[Α-ΩΆΈΉΊΌΎΏΪΫA-Z][^\s,;:!?()«»]*\.?[\s,&-]*){2,6}$")
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
    author = _author([*found, *_author_tags(pages)])
    section = _section([v for v in found if not author or v.texts != author[0].texts])
    told = [page.told for page in pages]
    by_tags = _right_authors(pages, author)
    return FieldSelectors(
        _selector(title) or (None if _vary([t.title for t in told]) else _from_head(pages)),
        None
        if date is None or _agree([t.date for t in told], _days(pages, date))
        else _selector(date),
        None if all(t.section for t in told) else _selector(section),
        ValueSelector(xpath=author[0].path, match=author[1]) if author and not by_tags else None,
    )


def _days(pages: Sequence[ParsedPage], values: XPathValues) -> list[str]:
    return [
        dates.parse_date(text, None, page.language)
        for text, page in zip(values.texts, pages, strict=True)
    ]


def _any_date(pages: Sequence[ParsedPage], values: XPathValues) -> bool:
    return any(_days(pages, values))


def _vary(told: Sequence[str], most: float = 0.5) -> bool:
    """Does nearly every page tell it, and hardly two the same? A template's leftover is one."""
    known = [text for text in told if text]
    return len(known) >= TOLD * len(told) and Counter(known).most_common(1)[0][1] <= most * len(
        known
    )


def _agree(told: Sequence[str], found: Sequence[str]) -> bool:
    return sum(map(str.__eq__, told, found)) >= TOLD * len(told)


def _right_authors(pages: Sequence[ParsedPage], author: tuple[XPathValues, str] | None) -> bool:
    """Do the pages' tags tell the authors? Where names are printed too, they must tell those."""
    told = [page.told.author or page.told.signed for page in pages]
    if author is None or not _vary(told, AUTHORS_SAME):
        return author is None
    return _are_shown(pages, told)


def _are_shown(pages: Sequence[ParsedPage], lines: Sequence[str]) -> bool:
    """Are nearly all of these names printed on their pages?"""
    shown = [
        any(names(line) <= names(unit.text) for unit in page.units if unit.words <= LONGEST)
        for line, page in zip(lines, pages, strict=True)
        if names(line)
    ]
    return bool(shown) and sum(shown) >= SHOWN * len(shown)


def names(line: str) -> frozenset[str]:
    """The words of an author's line but for the short ones that join names."""
    return frozenset(word for word in re.findall(r"\w+", fold(line)) if len(word) > JOINING)


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
    for page, numbers in chosen:
        paths: set[str] = set()
        for number in numbers:
            if page.table.tag(number) in _UNSEEN or not _is_short(page.text(number)):
                continue
            for path, rank in page.table.ranked(number):
                paths.add(path)
                order[path] = min(rank, order.get(path, rank))
        seen.update(paths)
    least = max(2, AUTHORS * len(chosen))
    return {path: order[path] for path, count in seen.items() if count >= least}


def _is_short(text: str) -> bool:
    return bool(text) and len(text.split()) <= LONGEST


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
    sure = _vary(told)

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
                    or (len(bare.split()) > 1 and bare in head)
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
    short = [2 <= len(t.split()) <= 20 and not dates.parse_date(t) for t in values.texts]
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
        read = _days(pages, values)
        long = sum(len(t.split()) > DATE_WORDS or t.endswith(".") for t in values.texts)
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


def _author_tags(pages: Sequence[ParsedPage]) -> list[XPathValues]:
    """What meta tags beside those that are read first say; the page must print it too."""
    names_of_tags = {
        f'//meta[@{kind}="{meta.get(kind)}"]/@content'
        for page in spread_out(pages, SAMPLE_PAGES)
        for meta in page.root.iter("meta")
        for kind in ("property", "name")
        if "author" in (meta.get(kind) or "").lower() and '"' not in meta.get(kind)
    }
    made = []
    for path in names_of_tags:
        texts = [clean(str(next(iter(page.root.xpath(path)), ""))) for page in pages]
        if _are_shown(pages, texts):
            made.append(XPathValues(path, -1, tuple(texts), 1.0, 0.0))
    return made


def _section(found: list[XPathValues]) -> XPathValues | None:
    def score(values: XPathValues) -> float:
        texts = [text for text in values.texts if text]
        short = sum(len(t.split()) <= 4 and not re.search(r"\d|[.!;]$", t) for t in texts)
        few = 2 <= values.distinct <= max(3, 0.6 * len(texts))
        if not few or values.matches > 1.2 or short < 0.9 * len(texts):
            return 0.0
        return values.present - 0.005 * min(values.near, 40)

    return _best(found, score, ENOUGH)


def _author(found: list[XPathValues]) -> tuple[XPathValues, str] | None:
    """The author's place, and a pattern that leaves out what stands before every name."""
    ranked: list[tuple[float, XPathValues, str]] = []
    for values in found:
        texts = [text for text in values.texts if text]
        before = Counter(m[1] for text in texts if (m := _PREFIX.match(text)))
        common, count = before.most_common(1)[0] if before else ("", 0)
        prefix = common if count >= 0.9 * len(texts) else ""
        names = [text.removeprefix(prefix).strip() for text in texts]
        alike = sum(bool(_NAME.match(name)) for name in names) / len(names)
        if alike < 0.8 or values.distinct < 2 or values.matches > 1.2:
            continue
        if Counter(names).most_common(1)[0][1] > 0.5 * len(names):
            continue  # one name on most pages is the editor's
        match = rf"{re.escape(prefix)}\s*(.+)".replace(r"\ ", " ") if prefix else ""
        ranked.append(
            (round(alike * values.present - 0.002 * min(values.near, 50), 2), values, match)
        )
    best = min(ranked, key=lambda i: (-i[0], i[1].matches, i[1].rank, len(i[1].path)), default=None)
    return (best[1], best[2]) if best and best[1].distinct > 1 else None
