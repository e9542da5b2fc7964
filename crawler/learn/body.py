"""Where a layout's text stands. An XPath is as good as the words that it gathers on all pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from crawler.learn.coverage import SAMPLE_PAGES, XPathCoverage, spread_out
from crawler.learn.labels import NEVER_DROPPED, PROSE_WORDS
from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import POSITION_PENALTY, Found

# What must be cut out of a text: XPaths that remove boilerplate and hardly a word of the story.

DROP_DEPTH = 12  # elements outwards that may be cut out
LOST_SHARE = 0.1  # of the words that an XPath cuts out; so few of the story's may be mistaken
Places = set[tuple[int, int]]  # page and unit, by their places


@dataclass(frozen=True, slots=True)
class TextSelection:
    """An XPath of the text, what is cut out of it, and what that yields on the sample."""

    path: str
    drop: tuple[str, ...]
    value: float  # 1 for all of the story and nothing else


def select_text(coverage: XPathCoverage, path: str) -> TextSelection:
    """The XPath with what has to be cut out of it."""
    paths: dict[str, None] = {}
    left: Places = set()
    for number, (page, found) in enumerate(
        zip(coverage.pages, coverage.elements(path), strict=True)
    ):
        inside = set(found)
        for place in page.places_inside(found):
            unit = page.units[place]
            if unit.reject_reason in NEVER_DROPPED:
                continue
            left.add((number, place))
            around = False  # what holds elements of the text, and is none of it
            for element in islice(page.table.ancestors(unit.at), DROP_DEPTH):
                around = around or element in inside
                names = page.table.names[element]
                paths.update(
                    dict.fromkeys(f"//{name}" for name in names if "@" in name)
                    if around
                    else dict.fromkeys(page.table.relative(element))
                )
    gains = {drop: cut for drop in paths if (cut := _cut_out(coverage, path, drop))[0]}
    chosen: list[str] = []
    lost: Places = set()
    while left:
        # One with a name first: a bare `.//p` may cut text out of pages not seen here.
        useful = {drop: len(cut[0] & left) for drop, cut in gains.items()}
        best = max(
            (drop for drop, count in useful.items() if count > 1),
            key=lambda d: ("@" in d, useful[d], d.startswith("."), -len(d), d),
            default="",
        )
        if not best:
            break
        chosen.append(best)
        bad, good = gains.pop(best)
        left -= bad
        lost |= good
    value = coverage.score(path, left, lost) - DROP_COSTS * len(chosen)
    return TextSelection(path, tuple(chosen), value - JOIN_COSTS * path.count(" | "))


def _cut_out(coverage: XPathCoverage, text: str, drop: str) -> tuple[Places, Places]:
    """The bad and the good units that it removes; none at all if too much of it is good."""
    bad: Places = set()
    good: Places = set()
    words = [0, 0]
    for number, (page, roots) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        if drop.startswith("."):
            places = page.places_inside(page.table.find_inside(drop, roots))
        else:
            within = page.places_inside(page.table.find(drop))
            places = sorted(set(within).intersection(page.places_inside(roots))) if within else []
        for place in places:
            is_good = page.units[place].weight > 0
            (good if is_good else bad).add((number, place))
            words[is_good] += page.units[place].words
        if words[True] > PROSE_WORDS and words[True] > LOST_SHARE * sum(words):
            return set(), set()
    return (bad, good) if words[True] <= LOST_SHARE * sum(words) else (set(), set())


# Readers' comments: they read like text, but not every page has them and nothing follows them.

LAYOUT_SHARE = 0.9  # of the pages; what fewer have is no part of the layout
LAST_SHARE = 0.75  # of the pages that have it; beside it a box may look like text
MIN_PAGES_WITH_COMMENTS = 4


def demote_comments(coverage: XPathCoverage, paths: Iterable[str]) -> bool:
    """Weigh such units as boilerplate; true when there were any."""
    pages, found_any = coverage.pages, False
    for path in paths:
        if "@" not in path.rpartition("/")[2]:
            continue  # a paragraph by its place: short stories have no third one
        held = [good for good, _, _ in coverage.weights(path)]
        found = coverage.elements(path)
        having = [n for n, page in enumerate(pages) if held[n] or page.places_inside(found[n])]
        if not MIN_PAGES_WITH_COMMENTS <= len(having) < LAYOUT_SHARE * len(pages):
            continue
        if sum(held) < 2 * PROSE_WORDS * len(having):
            continue
        last = [_is_last(pages[n], found[n]) for n in having]
        if sum(last) < LAST_SHARE * len(last):
            continue
        for page, elements in zip(pages, found, strict=True):
            for unit in map(page.units.__getitem__, page.places_inside(elements)):
                if unit.weight > 0:
                    unit.reject_reason, unit.weight = "comment", -unit.words
                    found_any = True
    return found_any


def _is_last(page: ParsedPage, elements: Found) -> bool:
    """Does other text stand before the elements, and none after the first of them?"""
    own = set(page.places_inside(elements))
    others = [
        u.at < min(elements) for n, u in enumerate(page.units) if n not in own and u.weight > 0
    ]
    return bool(others) and all(others)


DROP_COSTS = 0.01  # each XPath to cut out is one that may fail on pages not seen
JOIN_COSTS = 0.003  # so may each part of a text that is put together
LEAST_GAIN = 0.004  # of the story's words, that a part must add
FINALISTS = 6  # XPaths that are looked at more closely
MOST_PARTS = 5  # beside the first
BETWEEN_UNITS, BETWEEN_WORDS = 12, 60  # a byline, a caption, buttons: between lead and text


def find_body(pages: Sequence[ParsedPage]) -> TextSelection | None:
    """The body of a layout; None when no XPath gathers half of what seems to be text.

    Containers are judged by what is left when all has been cut out of them that can be. What is
    printed apart, a lead above the text or subheadings among its paragraphs, is added if it helps.
    """
    coverage = XPathCoverage(pages)
    ranks = coverage.distinct(_candidates(pages))
    while demote_comments(coverage, ranks):  # what was demoted may have hidden another tail
        coverage = XPathCoverage(pages)
    if not any(coverage.good):
        return None

    def order(path: str) -> tuple[float, int, str]:
        first = path.rpartition(" | ")[2]
        return coverage.matches(path), ranks.get(first, 0), path

    found = [select_text(coverage, path) for path in _finalists(coverage, ranks)]
    found.sort(key=lambda one: (-round(one.value, 2), *order(one.path)))
    extended = [_extend(coverage, one, ranks) for one in found[:FINALISTS]]
    best = min(extended, default=None, key=lambda one: (-round(one.value, 2), *order(one.path)))
    return best if best and best.value > 0 else None


def _finalists(coverage: XPathCoverage, ranks: dict[str, int]) -> list[str]:
    """The best as they are, and the containers that hold most."""
    order = sorted(
        ranks, key=lambda p: (-round(coverage.score(p), 3), coverage.matches(p), ranks[p], p)
    )
    whole = sorted(
        (path for path in order if coverage.matches(path) <= 1.2),
        key=lambda p: -sum(good for good, _, _ in coverage.weights(p)),
    )
    return list(dict.fromkeys([*order[:FINALISTS], *whole[:FINALISTS]]))


def _extend(coverage: XPathCoverage, base: TextSelection, ranks: dict[str, int]) -> TextSelection:
    """The text with what stands just before it or among its paragraphs."""
    for _ in range(MOST_PARTS):
        better = max(
            (
                select_text(coverage, f"{part} | {base.path}")
                for part in _parts_beside(coverage, base.path, ranks)
            ),
            key=lambda one: round(one.value, 3),
            default=base,
        )
        if better.value < base.value + LEAST_GAIN:
            break
        base = better
    return base


def _parts_beside(coverage: XPathCoverage, base: str, ranks: dict[str, int]) -> list[str]:
    """The few XPaths that add most, and only what stands where a part of the text can."""
    own = coverage.score(base)
    gains = {
        path: gain
        for path, rank in ranks.items()
        if rank < POSITION_PENALTY
        and (gain := coverage.score(f"{path} | {base}") - own) >= LEAST_GAIN
        and _stands_beside(coverage, path, base)
    }
    return sorted(gains, key=lambda p: (-round(gains[p], 3), ranks[p], p))[:2]


def _stands_beside(coverage: XPathCoverage, path: str, base: str) -> bool:
    """On nearly all pages just before the text, or inside the element that holds all of it."""
    right = count = 0
    for page, parts, text in zip(
        coverage.pages, coverage.elements(path), coverage.elements(base), strict=True
    ):
        new = [part for part in parts if not page.table.inside(part, text)]
        if not new or not text:
            continue
        count += 1
        around = page.table.common(text)
        among = around not in text and all(page.table.inside(part, [around]) for part in new)
        right += among or _just_before(page, new[-1], text[0])
    return count > 0 and right >= LAYOUT_SHARE * count


def _just_before(page: ParsedPage, lead: int, text: int) -> bool:
    """Nothing of a story stands between the end of `lead` and the beginning of `text`.

    A lead has the headline above it; on a page that shows none, it is not far from the text.
    """
    end = page.table.last[lead]
    between = [unit for unit in page.units if end < unit.at < text]
    if end >= text or any(unit.weight > 0 for unit in between):
        return False
    if 0 <= page.headline < lead:
        return True
    words = sum(unit.words for unit in between)
    return len(between) <= BETWEEN_UNITS and words <= BETWEEN_WORDS


def _candidates(pages: Sequence[ParsedPage]) -> dict[str, int]:
    """XPaths worth asking, with the order in which their element offered them (plainest first)."""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    sample = spread_out(pages, SAMPLE_PAGES)
    for page in sample:
        elements: set[int] = set()
        for unit in page.units:
            if unit.weight > 0:
                elements.update(_containers(page, unit.at))
        paths: set[str] = set()
        for element in elements:
            for path, rank in page.table.ranked(element):
                paths.add(path)
                order[path] = min(rank, order.get(path, rank))
        seen.update(paths)
    least = max(1, len(sample) // 3)
    return {path: order[path] for path, count in seen.items() if count >= least}


def _containers(page: ParsedPage, number: int) -> Iterator[int]:
    return takewhile(
        lambda n: page.table.tag(n) not in ("body", "html"), page.table.ancestors(number)
    )
