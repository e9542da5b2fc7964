"""XPaths that could name an element on every page of a layout, the plainest first, and what they
find, looked up by name: asking lxml for thousands of them on every page takes a minute.

An attribute's value is used as it stands; a class is compared token by token. Values with digits
that look like a record's number are left alone: they name one page, not a layout.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

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
_NUMBERED = re.compile(r"\d+$")
_PLAIN = re.compile(r"[A-Za-zΑ-ωάέήίόύώ0-9_.:#%-]+$")
_UNNAMED = frozenset(
    """address article aside b blockquote cite em figcaption figure footer h1 h2 h3 h4 header i
    main section strong time""".split()  # noqa: SIM905
)
_POSITIONAL = re.compile(r"\[\d+\]|^/[^/]")
POSITION_PENALTY = 100
DEPTH = 5  # how far up a name is looked for


Found = tuple[int, ...]  # elements by their numbers, in the order of the page


class ElementTable:
    """The elements of a page in document order, by number and by name.

    It finds what the XPaths of this module name, without asking lxml: steps are looked up, and
    what stands above them is compared by number.
    """

    def __init__(self, root: Any) -> None:
        from lxml import etree

        self.elements: list[Any] = []
        self.number: dict[Any, int] = {}
        self.parent: list[int] = []
        self.last: list[int] = []  # the last element inside each
        self._place: list[int] = []  # among the siblings of its tag, from 1
        self._siblings: Counter[tuple[int, str]] = Counter()
        self._cache: dict[str, Found] = {}
        self._sets: dict[str, frozenset[int]] = {}
        opened: list[int] = []
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if event == "end":
                self.last[opened.pop()] = len(self.elements) - 1
                continue
            number, above = len(self.elements), opened[-1] if opened else -1
            opened.append(number)
            self.elements.append(element)
            self.number[element] = number
            self.parent.append(above)
            self.last.append(number)
            tag = element.tag if isinstance(element.tag, str) else ""
            self._siblings[above, tag] += 1
            self._place.append(self._siblings[above, tag])

    def tag(self, number: int) -> str:
        """ "" for what is no element."""
        tag = self.elements[number].tag
        return tag if isinstance(tag, str) else ""

    def inside(self, number: int, found: Iterable[int]) -> bool:
        """Is the element one of these, or does it stand in one?"""
        return any(start <= number <= self.last[start] for start in found)

    def ancestors(self, number: int) -> Iterator[int]:
        """The element itself, then what stands around it, outwards."""
        while number >= 0:
            yield number
            number = self.parent[number]

    def common(self, found: Found) -> int:
        """The smallest element around all of these, which are in order."""
        return next(n for n in self.ancestors(found[0]) if self.last[n] >= found[-1])

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """Of each element the steps that can name it."""
        ids = Counter(_NUMBERED.sub("", element.get("id") or "") for element in self.elements)
        return [
            tuple(_named(element, ids)) if isinstance(element.tag, str) else ()
            for element in self.elements
        ]

    @cached_property
    def _by_step(self) -> dict[str, list[int]]:
        made: dict[str, list[int]] = defaultdict(list)
        for number, names in enumerate(self.names):
            tag = self.tag(number)
            children = {child.tag for child in self.elements[number] if isinstance(child.tag, str)}
            for step in {tag, f"{tag}[{self._place[number]}]", *names}:
                made[step].append(number)
            for child in children:
                made[f"{tag}[{child}]"].append(number)
        return made

    def find(self, path: str) -> Found:
        """What an XPath from the root names; one of several parted by " | "."""
        found = self._cache.get(path)
        if found is None:
            parts = path.split(" | ")
            found = self._walk(path, None) if len(parts) == 1 else merge(map(self.find, parts))
            self._cache[path] = found
        return found

    def find_inside(self, path: str, roots: Found) -> Found:
        """What an XPath `.//...` names inside the elements `roots`."""
        return self._walk(path.removeprefix("."), roots)

    def _walk(self, path: str, roots: Found | None) -> Found:
        before, _, step = path.rpartition("/")
        deep = before.endswith("/")
        before = before.removesuffix("/") if deep else before
        named = self._by_step.get(step, ())
        if not before and roots is None:
            return tuple(named) if deep else tuple(n for n in named if not n)
        if not before:
            return self._strictly_inside(named, roots or ())
        above = self.find(before) if roots is None else self._walk(before, roots)
        if deep:
            return self._strictly_inside(named, above)
        if len(above) * 8 < len(named):
            wanted = self._of_step(step)
            return tuple(sorted(n for one in above for n in self._children[one] if n in wanted))
        held = set(above)
        return tuple(number for number in named if self.parent[number] in held)

    def _of_step(self, step: str) -> frozenset[int]:
        if step not in self._sets:
            self._sets[step] = frozenset(self._by_step.get(step, ()))
        return self._sets[step]

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        made: dict[int, list[int]] = defaultdict(list)
        for number, above in enumerate(self.parent):
            made[above].append(number)
        return made

    def _strictly_inside(self, numbers: Sequence[int], above: Found) -> Found:
        found: list[int] = []
        for start in outermost(above, self.last):
            first = bisect_right(numbers, start)
            found += numbers[first : bisect_right(numbers, self.last[start], first)]
        return tuple(found)

    def ranked(self, number: int) -> Iterator[tuple[str, int]]:
        """`selectors` with a rank each: the plainest 0; those that count places far behind."""
        for rank, path in enumerate(self.selectors(number)):
            yield path, rank + POSITION_PENALTY * bool(_POSITIONAL.search(path))

    def selectors(self, number: int) -> Iterator[str]:
        """XPaths for an element, from its own names down to its place under a named ancestor."""
        own = self.names[number]
        yield from (f"//{step}" for step in own)
        last = own[0] if own else self.tag(number)
        above = self.parent[number]
        path = last
        for _ in range(DEPTH):
            if above < 0 or self.tag(above) in ("", "html"):
                break
            for step in self.names[above]:
                yield f"//{step}/{path}"
                if path != last or not own:
                    yield f"//{step}//{last}"
            path = f"{self.tag(above)}/{path}"
            above = self.parent[above]
        yield self._position(number)

    def relative(self, number: int) -> Iterator[str]:
        """XPaths for an element inside a story, `.//...`; without a name, by what it holds."""
        tag = self.tag(number)
        yield from (f".//{step}" for step in self.names[number])
        yield f".//{tag}"
        for child in {c.tag for c in self.elements[number] if isinstance(c.tag, str)}:
            yield f".//{tag}[{child}]"
        if self.parent[number] >= 0:
            yield from (f".//{step}/{tag}" for step in self.names[self.parent[number]])

    def _position(self, number: int) -> str:
        """The place counted from the nearest ancestor with an id or class, else from the root."""
        steps: list[str] = []
        for node in self.ancestors(number):
            above = self.parent[node]
            if node != number:
                name = next((s for s in self.names[node] if "@id" in s or "@class" in s), "")
                if name:
                    return "/".join([f"//{name}", *steps])
            tag = self.tag(node)
            if above < 0:
                return "/".join([f"/{tag}", *steps])
            alone = self._siblings[above, tag] == 1
            steps.insert(0, tag if alone else f"{tag}[{self._place[node]}]")
        raise AssertionError("every page has a root")


def merge(parts: Iterable[Found]) -> Found:
    """All of these elements, each once, in the order of the page."""
    return tuple(sorted({number for part in parts for number in part}))


def outermost(found: Found, last: list[int]) -> list[int]:
    """Those that stand in none of the others."""
    kept: list[int] = []
    for number in found:
        if not kept or number > last[kept[-1]]:
            kept.append(number)
    return kept


def _named(element: Any, ids: Counter[str]) -> Iterator[str]:
    """`tag[condition]` for each attribute that can name a layout, one by one, then all.

    Args:
        ids: how many of the page's ids are alike but for the number at their end.
    """
    tag = element.tag
    conditions = list(_conditions(element, ids))
    yield from (f"{tag}[{condition}]" for condition in conditions)
    if len(conditions) > 1:
        yield tag + "".join(f"[{condition}]" for condition in conditions)
    if tag in _UNNAMED:
        yield tag


def _conditions(element: Any, ids: Counter[str]) -> Iterator[str]:
    for name in _LAYOUT:
        value = (element.get(name) or "").strip()
        if name == "id" and ids[_NUMBERED.sub("", value)] > 1:
            continue  # "paragraph-4": one by its place
        if not value or _NUMBER.search(value) or len(value) > 80:
            continue
        if name == "class":
            for token in value.split():
                if _PLAIN.match(token):
                    yield f'contains(concat(" ", normalize-space(@class), " "), " {token} ")'
        elif _PLAIN.match(value):
            yield f'@{name}="{value}"'
