"""Pages that look alike: one group for each layout, told apart by the names their elements have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import SAMPLE_PAGES, XPathCoverage, ranked, spread_out

ALIKE = 0.55  # Jaccard of two pages' names; comments and captions come and go
_DIGITS = re.compile(r"\d+")


def group_by_layout(pages: Sequence[ParsedPage]) -> list[list[ParsedPage]]:
    """Groups of pages of one layout, the largest first."""
    groups: list[tuple[frozenset[str], list[ParsedPage]]] = []
    for page in pages:
        names = _element_names(page)
        best = max(groups, key=lambda known: _jaccard(known[0], names), default=None)
        if best is not None and _jaccard(best[0], names) >= ALIKE:
            best[1].append(page)
        else:
            groups.append((names, [page]))
    return sorted((pages for _, pages in groups), key=len, reverse=True)


def _element_names(page: ParsedPage) -> frozenset[str]:
    found: set[str] = set()
    for element in page.span:
        if not isinstance(element.tag, str):
            continue
        above = element.getparent()
        around = above.tag if above is not None else ""
        name = element.get("class") or element.get("id") or element.get("size") or ""
        found.add(f"{around}>{element.tag}.{_DIGITS.sub('', name)}")
    return frozenset(found)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


# Pages that hold several stories: the element of each, found from the text's elements.

MIN_TEXTS_PER_PAGE = 1.5  # texts on a page, in the mean; one page with two says little


def find_story_element(pages: Sequence[ParsedPage], text: str) -> str:
    """The XPath of each story's element, "" when pages hold one story each."""
    coverage = XPathCoverage(pages)
    bodies = coverage.elements(text)
    if coverage.matches(text) < MIN_TEXTS_PER_PAGE:
        return ""
    wanted = [_story_elements(page, found) for page, found in zip(pages, bodies, strict=True)]
    if sum(map(bool, wanted)) < 0.5 * len(pages):
        return ""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    for elements in spread_out([found for found in wanted if found], SAMPLE_PAGES):
        for path, rank in (item for element in elements[:3] for item in ranked(element)):
            seen[path] += 1
            order[path] = min(rank, order.get(path, rank))
    for path in sorted(seen, key=lambda p: (-seen[p], order[p], p)):
        exact = [
            found == around or (not around and len(found) == 1)
            for found, around in zip(coverage.elements(path), wanted, strict=True)
        ]
        if sum(exact) >= 0.9 * len(exact):
            return path
    return ""


def _story_elements(page: ParsedPage, bodies: Sequence[Any]) -> list[Any]:
    """For each body the largest element that holds no other; [] when that is the body itself.

    A story's element holds its headline too, so it must have more units than its body.
    """
    if len(bodies) < 2:
        return []
    found = []
    for body in bodies:
        element = body
        while (parent := element.getparent()) is not None:
            first, last = page.span[parent]
            held = sum(first <= page.span[other][0] <= last for other in bodies)
            if held > 1:
                break
            element = parent
        inside = [unit for unit in page.units if page.inside(unit, [element])]
        if sum(page.inside(unit, [body]) for unit in inside) >= len(inside):
            return []
        found.append(element)
    return found
