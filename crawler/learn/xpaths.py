"""XPaths that could name an element on every page of a layout, the plainest first.

An attribute's value is used as it stands; a class is compared token by token. Values with digits
that look like a record's number are left alone: they name one page, not a layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.learn.units import ParsedPage, TextUnit
from exchange.text.fold import fold

_LAYOUT = (
    "class",
    "id",
    "itemprop",
    "property",
    "role",
    "face",
    "size",
    "color",
    "align",
    "bgcolor",
    "width",
    "valign",
    "colspan",
    "name",
)
_NUMBER = re.compile(r"\d{3,}")
_PLAIN = re.compile(r"[A-Za-zΑ-ωάέήίόύώ0-9_.:#%-]+$")
_UNNAMED = frozenset(
    """address article aside b blockquote cite em figcaption figure footer h1 h2 h3 h4 header i
    main section strong time""".split()  # noqa: SIM905
)
_POSITIONAL = re.compile(r"\[\d+\]|^/[^/]")
POSITION_PENALTY = 100
DEPTH = 5  # how far up a name is looked for


def ranked(element: Any) -> Iterator[tuple[str, int]]:
    """`selectors` with a rank each: the plainest 0; those that count places far behind."""
    for rank, path in enumerate(selectors(element)):
        yield path, rank + POSITION_PENALTY * bool(_POSITIONAL.search(path))


def selectors(element: Any) -> Iterator[str]:
    """XPaths for an element, from its own names down to its place under a named ancestor."""
    own = list(_named(element))
    yield from (f"//{step}" for step in own)
    last = own[0] if own else element.tag
    above = element.getparent()
    path = last
    for _ in range(DEPTH):
        if above is None or not isinstance(above.tag, str) or above.tag == "html":
            break
        for step in _named(above):
            yield f"//{step}/{path}"
            if path != last or not own:
                yield f"//{step}//{last}"
        path = f"{above.tag}/{path}"
        above = above.getparent()
    yield _position(element)


def relative(element: Any) -> Iterator[str]:
    """XPaths for an element inside a story, `.//...`; without a name, by what it holds."""
    yield from (f".//{step}" for step in _named(element))
    yield f".//{element.tag}"
    for child in {c.tag for c in element if isinstance(c.tag, str)}:
        yield f".//{element.tag}[{child}]"
    parent = element.getparent()
    if parent is not None:
        yield from (f".//{step}/{element.tag}" for step in _named(parent))


def _named(element: Any) -> Iterator[str]:
    """`tag[condition]` for each attribute that can name a layout, one by one, then all."""
    tag = element.tag
    conditions = list(_conditions(element))
    yield from (f"{tag}[{condition}]" for condition in conditions)
    if len(conditions) > 1:
        yield tag + "".join(f"[{condition}]" for condition in conditions)
    if tag in _UNNAMED:
        yield tag


def _conditions(element: Any) -> Iterator[str]:
    for name in _LAYOUT:
        value = (element.get(name) or "").strip()
        if not value or _NUMBER.search(value) or len(value) > 80:
            continue
        if name == "class":
            for token in value.split():
                if _PLAIN.match(token):
                    yield f'contains(concat(" ", normalize-space(@class), " "), " {token} ")'
        elif _PLAIN.match(value):
            yield f'@{name}="{value}"'


def _position(element: Any) -> str:
    """The place counted from the nearest ancestor with an id or class, else from the root."""
    steps: list[str] = []
    node = element
    while node is not None and isinstance(node.tag, str):
        parent = node.getparent()
        if node is not element:
            name = next((step for step in _named(node) if "@id" in step or "@class" in step), "")
            if name:
                return "/".join([f"//{name}", *steps])
        if parent is None:
            return "/".join([f"/{node.tag}", *steps])
        same = [child for child in parent if child.tag == node.tag]
        steps.insert(0, f"{node.tag}[{same.index(node) + 1}]" if len(same) > 1 else node.tag)
        node = parent
    return "//" + "/".join(steps)


# What an XPath gathers on all pages of a layout: words of the story, and words of boilerplate.

BAD_COSTS = 1.5  # a word too many is worse than a word too few: it is taught to the model
SAMPLE_PAGES = 12  # pages whose elements are turned into candidates; all pages judge them
UncutUnits = set[tuple[int, int]]  # page and unit, by their places


class XPathCoverage:
    """Which words of a layout's pages an XPath gathers; every XPath is asked once."""

    def __init__(self, pages: Sequence[ParsedPage]) -> None:
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
        """Words of the story and words of boilerplate inside, page by page."""
        if path not in self._weights:
            self._weights[path] = [
                _sums(unit for unit in page.units if found and page.inside(unit, found))
                for page, found in zip(self.pages, self.elements(path), strict=True)
            ]
        return self._weights[path]

    def score(self, path: str, left: UncutUnits | None = None) -> float:
        """Mean over the pages: 1 for all of the story and nothing else.

        Args:
            left: the boilerplate inside that counts; default: all of it.
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
        return sum(
            u.words for u in page.units if u.reject_reason == "label" and page.inside(u, found)
        )

    def matches(self, path: str) -> float:
        return sum(map(len, self.elements(path))) / len(self.pages)


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


def _sums(units: Iterable[TextUnit]) -> tuple[int, int]:
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
