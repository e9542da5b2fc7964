"""Pages that look alike: one group for each layout, told apart by the names their elements have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.learn.units import Page

ALIKE = 0.55  # Jaccard of two pages' names; comments and captions come and go
_DIGITS = re.compile(r"\d+")


def group(pages: Sequence[Page]) -> list[list[Page]]:
    """Groups of pages of one layout, the largest first."""
    groups: list[tuple[frozenset[str], list[Page]]] = []
    for page in pages:
        names = _names(page)
        best = max(groups, key=lambda known: _jaccard(known[0], names), default=None)
        if best is not None and _jaccard(best[0], names) >= ALIKE:
            best[1].append(page)
        else:
            groups.append((names, [page]))
    return sorted((pages for _, pages in groups), key=len, reverse=True)


def _names(page: Page) -> frozenset[str]:
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
