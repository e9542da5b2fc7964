"""Readers' comments: they read like text, but not every page has them and nothing follows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crawler.learn.coverage import Coverage
from crawler.learn.labels import PROSE_WORDS
from crawler.learn.units import Page

ALWAYS = 0.9  # of the pages; what fewer have is no part of the layout
MOSTLY = 0.75  # of the pages that have it; beside it a box may look like text
FEWEST = 4


def demote(coverage: Coverage, paths: Iterable[str]) -> bool:
    """Weigh such units as furniture; true when there were any."""
    pages, found_any = coverage.pages, False
    for path in paths:
        if "@" not in path.rpartition("/")[2]:
            continue  # a paragraph by its place: short stories have no third one
        held = [good for good, _ in coverage.weights(path)]
        having = [number for number, good in enumerate(held) if good]
        if not FEWEST <= len(having) < ALWAYS * len(pages):
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
