"""Find a story's parts on a page: by the profile's shapes, of which the first that matches is used,
else by trafilatura.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crawler import records
from crawler.extract.charset import clean
from crawler.extract.html import paragraphs
from exchange.text import dates

if TYPE_CHECKING:
    from crawler.profile import PageShape, Profile, SelectorField


@dataclass(frozen=True, slots=True)
class StoryParts:
    """One story as it stands on a page."""

    title: str
    section: str
    author: str
    date: str  # ISO, "" when the page does not say
    paragraphs: tuple[str, ...]
    anchor: str = ""  # the name of its place on the page, for addresses


class ShapeMatcher:
    """A profile's shapes, compiled once."""

    def __init__(self, profile: Profile) -> None:
        self._months = profile.months
        self._shapes = [_CompiledShape(shape) for shape in profile.shapes]

    def read(self, root: Any, kind: str) -> list[StoryParts]:
        """The stories of a page, [] when no shape matches."""
        for shape in self._shapes:
            if shape.kinds and kind not in shape.kinds and kind != records.HTML:
                continue
            stories = shape.stories(root)
            found = [
                parts
                for story in stories
                if (parts := self._parts(shape, story, alone=len(stories) == 1))
            ]
            if found:
                return found
        return []

    def _parts(self, shape: _CompiledShape, story: Any, *, alone: bool) -> StoryParts | None:
        # Before anything is cut out: a headline may stand in what is no part of the text.
        values = {name: _value(story, select) for name, select in shape.selects.items()}
        for drop in shape.drop:
            for element in drop(story):
                if element is not story and element.getparent() is not None:
                    element.drop_tree()
        text = paragraphs(element for element in shape.text(story) if hasattr(element, "tag"))
        if not text:
            return None
        return StoryParts(
            values["title"],
            values["section"],
            values["author"],
            dates.parse_date(values["date"], self._months),
            tuple(text),
            "" if alone else _anchor(story),
        )


def _anchor(story: Any) -> str:
    """The id of the story's element, or the first name inside it that a link can lead to."""
    own = story.get("id")
    if own:
        return str(own)
    return str(next(iter(story.xpath("(.//a/@name | .//@id)[1]")), ""))


class _CompiledShape:
    def __init__(self, shape: PageShape) -> None:
        from lxml import etree

        self.kinds = shape.kinds
        self.text = etree.XPath(shape.text)
        self.drop = [etree.XPath(path) for path in shape.drop]
        self._story = etree.XPath(shape.story) if shape.story else None
        self.selects: dict[str, tuple[Any, re.Pattern[str] | None] | None] = {}
        for name in ("title", "section", "author", "date"):
            select: SelectorField | None = getattr(shape, name)
            pattern = re.compile(select.match) if select and select.match else None
            self.selects[name] = (etree.XPath(select.xpath), pattern) if select else None

    def stories(self, root: Any) -> list[Any]:
        return list(self._story(root)) if self._story else [root]


def _value(story: Any, select: tuple[Any, re.Pattern[str] | None] | None) -> str:
    """The first value that is not empty."""
    if select is None:
        return ""
    path, pattern = select
    found = path(story)
    for item in found if isinstance(found, list) else [found]:
        text = " ".join(paragraphs([item])) if hasattr(item, "tag") else clean(str(item))
        if pattern is not None:
            match = pattern.search(text)
            text = clean((match[1] if match.re.groups else match[0]) or "") if match else ""
        if text:
            return text
    return ""


_FALLBACK_TITLES = ('//meta[@property="og:title"]/@content', "//h1", "//title")
_FALLBACK_DATES = (
    '//meta[@property="article:published_time"]/@content',
    '//meta[@name="date"]/@content',
    "//article//time/@datetime",
    "//time/@datetime",
)

_COVERS = 0.8  # of the page's prose; half would do by the rule above
_BOILERPLATE_TAGS = """
a aside footer form head header nav noscript option script select style
"""
_NO_PROSE = frozenset(_BOILERPLATE_TAGS.split())
# Trafilatura deletes these too, but first it walks through them several times.
_DELETED = ("aside", "footer", "iframe", "nav", "noscript", "script", "style", "svg")


def read_fallback(text: str, root: Any) -> StoryParts | None:
    """The one story that a page seems to hold; None when there is no text.

    Args:
        text: the page as `str` (trafilatura guesses the charset of bytes, often wrongly).
        root: the same page parsed; it is used up.
    """
    from lxml import etree
    from trafilatura import extract

    options = {"include_comments": False, "include_formatting": False}
    title, date = _first(root, _FALLBACK_TITLES), dates.parse_date(_first(root, _FALLBACK_DATES))
    enough = _COVERS * _prose(root)
    etree.strip_elements(root, *_DELETED, with_tail=False)
    found = extract(root, fast=True, **options)
    if len(found or "") < enough:
        found = extract(text, **options)
    paragraphs = tuple(line for raw in (found or "").split("\n") if (line := clean(raw)))
    return StoryParts(title, "", "", date, paragraphs) if paragraphs else None


def _prose(root: Any) -> int:
    """Characters outside links and outside what is marked as boilerplate."""
    from lxml import etree

    count = 0
    walker = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        if element.tag in _NO_PROSE:
            walker.skip_subtree()
        else:
            count += len((element.text or "").strip())
        count += len((element.tail or "").strip())
    return count


def _first(root: Any, paths: tuple[str, ...]) -> str:
    for path in paths:
        for item in root.xpath(path):
            text = clean(item.text_content() if hasattr(item, "tag") else str(item))
            if text:
                return text
    return ""
