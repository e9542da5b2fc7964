"""One stored page to its stories and chunks: a pure function of bytes and profile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from crawler import kinds
from crawler.extract import quality
from crawler.extract.charset import as_utf8
from crawler.extract.chunk import chunks
from crawler.extract.documents import UnreadableDocument, fill_from_name
from crawler.extract.documents import read as reading_read
from crawler.extract.html import parse
from crawler.extract.shapes import ShapeMatcher, StoryParts, read_fallback
from crawler.records import ExtractionResult
from exchange.records import Chunk, Story, digest
from exchange.text.fold import fold

if TYPE_CHECKING:
    from crawler.profile import Profile


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page as the raw store holds it."""

    key: str
    url: str  # absolute
    kind: str
    issue: str
    words: int | None
    charset: str
    body: bytes


class PageReader:
    """Reads the pages of one archive by one profile."""

    def __init__(self, profile: Profile, archive: str) -> None:
        self._profile = profile
        self._archive = archive
        self._shapes = ShapeMatcher(profile)
        self._sections = frozenset(map(fold, profile.leave_out.sections))
        self._titles = [re.compile(pattern) for pattern in profile.leave_out.titles]
        self._texts = [re.compile(pattern) for pattern in profile.leave_out.texts]
        self._teasers = [re.compile(pattern) for pattern in profile.teasers]

    def read(self, page: StoredPage) -> ExtractionResult:
        """The stories of a page. The date comes from the address or index first."""
        try:
            found, low = self._parts(page)
        except UnreadableDocument as error:
            return ExtractionResult(str(error))
        made: list[tuple[Story, list[Chunk]]] = []
        reason = ""
        for index, parts in enumerate(found):
            refused = self._refuse(parts)
            reason = reason or refused
            if not refused:
                story = self._story(page, parts, index, len(found), low)
                made.append((story, chunks(story, self._profile.chunk, self._profile.name)))
        return ExtractionResult("done" if made else reason, tuple(made))

    def _parts(self, page: StoredPage) -> tuple[list[StoryParts], bool]:
        """The stories as they stand on the page, and whether no selector found them."""
        if page.kind in kinds.FILES and page.kind != kinds.HTML:
            return [reading_read(page.kind, page.body, page.url, self._profile.charset)], False
        markup = as_utf8(page.body, page.charset, self._profile.charset)
        root = parse(markup)
        if root is None:
            raise UnreadableDocument("empty")
        found = self._shapes.read(root, page.kind)
        if found:
            return [fill_from_name(parts, page.url) for parts in found], False
        parts = read_fallback(markup.decode("utf-8"), root)
        if parts is None:
            raise UnreadableDocument("no-text")
        return [fill_from_name(parts, page.url)], True

    def _refuse(self, parts: StoryParts) -> str:
        """Why a story is left out, "" to keep it."""
        if parts.section and fold(parts.section) in self._sections:
            return "left-out-section"
        if any(pattern.search(parts.title) for pattern in self._titles):
            return "left-out-title"
        text = "\n\n".join(parts.paragraphs)
        if any(pattern.search(text) for pattern in self._texts):
            return "left-out-text"
        least = self._profile.min_words
        return "too-short" if len(text.split(None, least)) < least else ""

    def _story(
        self, page: StoredPage, parts: StoryParts, index: int, count: int, low: bool
    ) -> Story:
        place = (str(index),) if index else ()  # so the first keeps its id when a second appears
        story = Story(
            id=digest(self._archive, page.key, *place),
            url=_story_url(page.url, parts.anchor, index, count),
            archive=self._archive,
            published=page.issue or parts.date,
            section=parts.section,
            title=parts.title,
            author=parts.author,
            text="\n\n".join(parts.paragraphs),
            words_expected=page.words if count == 1 else None,
            low_confidence=low,
        )
        marks = quality.story_marks(story, parts.date, self._profile.language)
        if any(pattern.search(story.text) for pattern in self._teasers):
            marks = tuple(sorted({*marks, "teaser"}))
        return story.replace(marks=marks) if marks else story


def _story_url(url: str, anchor: str, index: int, count: int) -> str:
    """The address of a story: with the name of its place, where a page holds several.

    A page that names no places gets `#story-2`, which leads to the page and tells them apart.
    """
    if count == 1:
        return url
    return f"{url.partition('#')[0]}#{quote(anchor or f'story-{index + 1}', safe='')}"
