"""Find a story's parts on a page by the profile's shapes; the first shape that matches is used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crawler import records
from crawler.extract.charset import clean
from crawler.extract.html import paragraphs
from crawler.extract.metadata import PageMetadata, page_language
from crawler.patterns import ProfilePattern, compile_pattern
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

    @property
    def is_complete(self) -> bool:
        return bool(self.title and self.section and self.author and self.date)

    def completed(self, told: PageMetadata) -> StoryParts:
        """With what the page's tags tell, where the selectors found nothing."""
        return replace(
            self,
            title=self.title or told.title,
            section=self.section or told.section,
            author=self.author or told.author or told.signed,
            date=self.date or told.date,
        )


class ShapeMatcher:
    """A profile's shapes, compiled once."""

    def __init__(self, profile: Profile) -> None:
        self._months = profile.months
        self._language = profile.language
        self._shapes = [_CompiledShape(shape) for shape in profile.shapes]

    def read(self, root: Any, kind: str) -> list[StoryParts]:
        """The stories of a page, [] when no shape matches."""
        language = page_language(root, self._language)
        for shape in self._shapes:
            if shape.kinds and kind not in shape.kinds and kind != records.HTML:
                continue
            stories = shape.stories(root)
            found = [
                parts
                for story in stories
                if (parts := self._parts(shape, story, language, alone=len(stories) == 1))
            ]
            if found:
                return found
        return []

    def _parts(
        self, shape: _CompiledShape, story: Any, language: str, *, alone: bool
    ) -> StoryParts | None:
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
            dates.parse_date(values["date"], self._months, language),
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
        self.selects: dict[str, tuple[Any, ProfilePattern | None] | None] = {}
        for name in ("title", "section", "author", "date"):
            select: SelectorField | None = getattr(shape, name)
            pattern = compile_pattern(select.match) if select and select.match else None
            self.selects[name] = (etree.XPath(select.xpath), pattern) if select else None

    def stories(self, root: Any) -> list[Any]:
        return list(self._story(root)) if self._story else [root]


def _value(story: Any, select: tuple[Any, ProfilePattern | None] | None) -> str:
    """The first value that is not empty."""
    if select is None:
        return ""
    path, pattern = select
    found = path(story)
    for item in found if isinstance(found, list) else [found]:
        text = " ".join(paragraphs([item])) if hasattr(item, "tag") else clean(str(item))
        if pattern is not None:
            match = pattern.search(text)
            text = clean((match[1] if pattern.groups else match[0]) or "") if match else ""
        if text:
            return text
    return ""
