"""Where a layout's text stands. An XPath is as good as the words that it gathers on all pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from crawler.learn.coverage import SAMPLE_PAGES, UncutUnits, XPathCoverage, spread_out
from crawler.learn.units import NEVER_DROPPED, PROSE_WORDS, ParsedPage
from crawler.learn.xpaths import Found

# What must be cut out of a text: XPaths that remove boilerplate and never a word of the story.


def find_drops(coverage: XPathCoverage, text: str) -> tuple[list[str], UncutUnits]:
    """XPaths, inside the text, of what is not of the story; none that costs a story's word.

    Returns:
        The XPaths, and the bad units (page, unit) that they leave in.
    """
    paths: dict[str, None] = {}
    left: UncutUnits = set()
    for number, (page, found) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        inside = set(found)
        for place, unit in enumerate(page.units):
            if unit.reject_reason in NEVER_DROPPED or not page.inside(unit, found):
                continue
            left.add((number, place))
            for element in page.table.ancestors(unit.at):
                if element in inside:
                    break
                paths.update(dict.fromkeys(page.table.relative(element)))
    gains = {path: _units_dropped(coverage, text, path) for path in paths}
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


def _units_dropped(coverage: XPathCoverage, text: str, path: str) -> UncutUnits:
    """The bad units that dropping `path` would remove; none at all if it removed a good one."""
    gained: UncutUnits = set()
    for number, (page, roots) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        found = page.table.find_inside(path, roots)
        if not found:
            continue
        for place, unit in enumerate(page.units):
            if page.inside(unit, found):
                if unit.weight > 0:
                    return set()
                gained.add((number, place))
    return gained


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
        having = [number for number, good in enumerate(held) if good]
        if not MIN_PAGES_WITH_COMMENTS <= len(having) < LAYOUT_SHARE * len(pages):
            continue
        if sum(held) < 2 * PROSE_WORDS * len(having):
            continue
        last = [_is_last(pages[n], coverage.elements(path)[n]) for n in having]
        if sum(last) < LAST_SHARE * len(last):
            continue
        for page, found in zip(pages, coverage.elements(path), strict=True):
            for unit in page.units:
                if unit.weight > 0 and page.inside(unit, found):
                    unit.reject_reason, unit.weight = "comment", -unit.words
                    found_any = True
    return found_any


def _is_last(page: ParsedPage, elements: Found) -> bool:
    """Does other text stand before the elements, and none after the first of them?"""
    first = min(elements)
    others = [u for u in page.units if not page.inside(u, elements)]
    before = [u.weight > 0 for u in others if u.at < first]
    after = [u.weight > 0 for u in others if u.at >= first]
    return any(before) and not any(after)


DROP_COSTS = 0.01  # each XPath to cut out is one that may fail on pages not seen
FINALISTS = 6  # XPaths that are looked at more closely


@dataclass(frozen=True, slots=True)
class BodySelectors:
    """XPaths of the text and of what is cut out of it; `share` of the story words they hold."""

    text: str
    drop: tuple[str, ...]
    share: float


def find_body(pages: Sequence[ParsedPage]) -> BodySelectors | None:
    """The body of a layout; None when no XPath gathers half of what seems to be text.

    Containers are judged by what is left when all has been cut out of them that can be.
    """
    coverage = XPathCoverage(pages)
    paths = _candidates(pages)
    while demote_comments(coverage, paths):  # what was demoted may have hidden another tail
        coverage = XPathCoverage(pages)
    if not any(coverage.good):
        return None
    order = sorted(
        paths, key=lambda p: (-round(coverage.score(p), 3), coverage.matches(p), paths[p], p)
    )
    finalists = _finalists(coverage, order)
    finalists += [
        f"{lead} | {p}" for p in finalists if (lead := _lead_paragraph(coverage, p, order))
    ]
    drops = {path: find_drops(coverage, path) for path in finalists}
    scores = {
        path: coverage.score(path, left) - DROP_COSTS * len(cut)
        for path, (cut, left) in drops.items()
    }
    best = min(
        drops,
        default="",
        key=lambda p: (-round(scores[p], 2), coverage.matches(p), paths.get(p, 0), p),
    )
    if not best or scores[best] <= 0:
        return None
    words = sum(good for good, _, _ in coverage.weights(best))
    return BodySelectors(best, tuple(drops[best][0]), words / sum(coverage.good))


def _finalists(coverage: XPathCoverage, order: list[str]) -> list[str]:
    """The best as they are, and the containers that hold most; one of each that are alike."""
    whole = sorted(
        (path for path in order if coverage.matches(path) <= 1.2),
        key=lambda p: -sum(good for good, _, _ in coverage.weights(p)),
    )
    chosen: dict[tuple[tuple[int, ...], ...], str] = {}
    for path in [*order[:FINALISTS], *whole[: 4 * FINALISTS]]:
        chosen.setdefault((*coverage.weights(path), (round(coverage.matches(path)), 0)), path)
    return list(chosen.values())[: 2 * FINALISTS]


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


def _lead_paragraph(coverage: XPathCoverage, best: str, order: list[str]) -> str:
    """A paragraph that stands by itself between headline and text, on most pages."""
    for path in order:
        if coverage.matches(path) > 1.2 or path == best:
            continue
        weights = coverage.weights(path)
        if sum(good > 0 and not bad for good, bad, _ in weights) < 0.7 * len(weights):
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


def _just_before(page: ParsedPage, lead: int, text: int) -> bool:
    """No more than a label or two stand between the end of `lead` and the beginning of `text`."""
    end = page.table.last[lead]
    if end >= text:
        return False
    between = [u for u in page.units if end < u.at < text]
    return len(between) <= 3 and not any(unit.weight > 0 for unit in between)
