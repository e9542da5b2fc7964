"""Pages that hold several stories: the element of each, found from the text's elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crawler.learn.candidates import ranked
from crawler.learn.coverage import LOOKED_AT, Coverage, spread_out
from crawler.learn.units import Page

USUAL = 1.5  # texts on a page, in the mean; one page with two says little


def find(pages: Sequence[Page], text: str) -> str:
    """The XPath of each story's element, "" when pages hold one story each."""
    coverage = Coverage(pages)
    bodies = coverage.elements(text)
    if coverage.matches(text) < USUAL:
        return ""
    wanted = [_around(page, found) for page, found in zip(pages, bodies, strict=True)]
    if sum(map(bool, wanted)) < 0.5 * len(pages):
        return ""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    for elements in spread_out([found for found in wanted if found], LOOKED_AT):
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


def _around(page: Page, bodies: Sequence[Any]) -> list[Any]:
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
