"""What an XPath gathers on all pages of a layout: words of the story, and words of boilerplate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import Found, outermost
from exchange.text import dates
from exchange.text.fold import fold

BAD_COSTS = 1.5  # a word too many is worse than a word too few: it is taught to the model
_HAS_DIGIT = re.compile(r"\d").search
TOLD = 0.9  # of the pages, whose tags then are believed
SAMPLE_PAGES = 12  # pages whose elements are turned into candidates; all pages judge them


class XPathCoverage:
    """Which words of a layout's pages an XPath gathers; every XPath is asked once."""

    def __init__(self, pages: Sequence[ParsedPage]) -> None:
        self.pages = pages
        self._weights: dict[str, list[tuple[int, int, int]]] = {}
        self._sums = [_running_sums(page) for page in pages]
        self.good = [good[-1] for good, _, _ in self._sums]

    def elements(self, path: str) -> list[Found]:
        """The elements that the XPath names, page by page."""
        return [page.table.find(path) for page in self.pages]

    def weights(self, path: str) -> list[tuple[int, int, int]]:
        """Words of the story, of boilerplate, and of labels among those, page by page."""
        if path not in self._weights:
            self._weights[path] = [
                self._weigh(number, found) for number, found in enumerate(self.elements(path))
            ]
        return self._weights[path]

    def _weigh(self, number: int, found: Found) -> tuple[int, int, int]:
        last = self.pages[number].table.last
        spans = [(start, last[start] + 1) for start in outermost(found, last)]
        good, bad, labels = (
            sum(sums[end] - sums[start] for start, end in spans) for sums in self._sums[number]
        )
        return good, bad, labels

    def score(
        self,
        path: str,
        left: Collection[tuple[int, int]] | None = None,
        lost: Collection[tuple[int, int]] = (),
    ) -> float:
        """Mean over the pages: 1 for all of the story and nothing else.

        Args:
            left: the boilerplate inside that counts, beside labels, as places of page and unit;
                default: all of it.
            lost: what does not count of the story, in the same way.
        """
        kept, cut = self._words_at(left or ()), self._words_at(lost)
        values = []
        for number, (good, bad, labels) in enumerate(self.weights(path)):
            bad = bad if left is None else kept[number] + labels
            good -= cut[number]
            total = self.good[number]
            values.append(max(-1.0, (good - BAD_COSTS * bad) / total) if total else 0.0)
        return sum(values) / len(values)

    def _words_at(self, places: Collection[tuple[int, int]]) -> Counter[int]:
        words: Counter[int] = Counter()
        for number, place in places:
            words[number] += self.pages[number].units[place].words
        return words

    def distinct(self, ranks: dict[str, int]) -> dict[str, int]:
        """Of XPaths that name the same elements everywhere the plainest, with its rank."""
        kept: dict[tuple[Found, ...], tuple[int, int, str]] = {}
        for path, rank in ranks.items():
            named = tuple(self.elements(path))
            best = (rank, len(path), path)
            kept[named] = min(best, kept.get(named, best))
        return {path: rank for rank, _, path in kept.values()}

    def matches(self, path: str) -> float:
        return sum(map(len, self.elements(path))) / len(self.pages)


def _running_sums(page: ParsedPage) -> tuple[list[int], list[int], list[int]]:
    """Words of the story, of boilerplate and of labels before each element of a page."""
    good, bad, labels = ([0] * (len(page.table.elements) + 1) for _ in range(3))
    for unit in page.units:
        if unit.weight > 0:
            good[unit.at + 1] += unit.weight
        else:
            bad[unit.at + 1] -= unit.weight
            labels[unit.at + 1] -= unit.weight * (unit.reject_reason == "label")
    return list(accumulate(good)), list(accumulate(bad)), list(accumulate(labels))


@dataclass(frozen=True, slots=True)
class XPathValues:
    """What an XPath yields: the first text that is not empty on each page, and how many match."""

    path: str
    rank: int  # smaller: a plainer XPath
    texts: tuple[str, ...]
    matches: float  # mean over the pages that have any
    near: float  # mean distance to the headline in units; large when unknown

    @property
    def present(self) -> float:
        return sum(bool(text) for text in self.texts) / len(self.texts)

    @property
    def distinct(self) -> int:
        return len({fold(text) for text in self.texts if text})


def spread_out(items: Sequence[Any], count: int) -> list[Any]:
    """At most `count` items, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def vary(told: Sequence[str], most: float = 0.5) -> bool:
    """Does nearly every page tell it, and hardly two the same? A template's leftover is one."""
    known = [text for text in told if text]
    return len(known) >= TOLD * len(told) and Counter(known).most_common(1)[0][1] <= most * len(
        known
    )


def days(pages: Sequence[ParsedPage], values: XPathValues) -> list[str]:
    """What an XPath yields, as ISO dates; "" for what is none."""
    return [
        _day(text, page.language) if _HAS_DIGIT(text) else ""
        for text, page in zip(values.texts, pages, strict=True)
    ]


@lru_cache(maxsize=20_000)
def _day(text: str, language: str) -> str:
    return dates.parse_date(text, None, language)
