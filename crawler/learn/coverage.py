"""What an XPath gathers on all pages of a layout: words of the story, and words of furniture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crawler.learn.units import Page, Unit

BAD_COSTS = 1.5  # a word too many is worse than a word too few: it is taught to the model
LOOKED_AT = 12  # pages whose elements are turned into candidates; all pages judge them
Left = set[tuple[int, int]]  # page and unit, by their places


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


def spread_out(items: Sequence[Any], count: int) -> list[Any]:
    """At most `count` items, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]
