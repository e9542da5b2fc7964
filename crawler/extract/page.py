"""One stored page to its stories and chunks: a pure function of bytes and profile."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from crawler import records
from crawler.extract.charset import markup_of
from crawler.extract.chunk import chunks
from crawler.extract.documents import UnreadableDocument, fill_from_name, read_document
from crawler.extract.fallback import read_fallback
from crawler.extract.html import parse, without_controls
from crawler.extract.metadata import may_have_tags, read_metadata
from crawler.extract.shapes import ShapeMatcher, StoryParts
from crawler.patterns import compile_pattern
from crawler.records import ExtractionResult
from exchange.records import PackedChunk, Story, digest
from exchange.text.fold import fold
from exchange.text.instructions import commands
from exchange.text.scripts import count_words, has_words

if TYPE_CHECKING:
    from crawler.profile import Profile


# What one story shows by itself: charset, language, length and date. Pure functions.

BROKEN = 1 / 400  # replacement characters a character: one in four lines of print
GREEK = 0.5  # of the letters; a story about foreign books stays above it
TOLERANCE = 0.10  # of the printed word count: newspapers count signatures and captions
TOLERANCE_WORDS = 10
NEAR_DAYS = 3  # a weekend issue carries two dates, a page may show the day it was printed
_LETTERS = re.compile(r"[^\W\d_]+")
_GREEK = re.compile("[\u0370-\u037d\u037f-\u0386\u0388-\u03ff\u1f00-\u1fff]+")
_BROKEN = re.compile("[\ufffd\ufffe\uffff\x80-\x9f]")


def story_marks(story: Story, on_page: str, language: str) -> tuple[str, ...]:
    """The marks of a story, sorted.

    Args:
        on_page: the date that the page itself shows, ISO or "".
        language: of the newspaper, ISO 639.
    """
    found = {
        "low-confidence": story.low_confidence,
        "broken-characters": broken_share(story.text) >= BROKEN,
        "other-language": language == "el" and other_language(story.text),
        "instruction": commands(f"{story.title}\n{story.text}", language),
        "date-differs": dates_differ(story.published, on_page),
        **_word_count_marks(story),
    }
    return tuple(sorted(code for code, marked in found.items() if marked))


def broken_share(text: str) -> float:
    """Characters that no newspaper printed, of all."""
    if "\ufffd" not in text and text.replace("\n", "").isprintable():
        return 0.0  # nearly all: all other broken characters are none that can be printed
    return len(_BROKEN.findall(text)) / max(1, len(text))


def other_language(text: str) -> bool:
    """Are the letters mostly not Greek? Counting Greek's first bytes answers it for most texts."""
    raw = text.encode("utf-8", "replace")
    if len(raw) - len(raw.translate(None, b"\xce\xcf")) >= GREEK * (len(text) - text.count(" ")):
        return False
    return greek_share(text) < GREEK


def greek_share(text: str) -> float:
    """Greek letters of all letters; 1 for a text without letters."""
    letters = sum(map(len, _LETTERS.findall(text)))
    return sum(map(len, _GREEK.findall(text))) / letters if letters else 1.0


def dates_differ(published: str, on_page: str) -> bool:
    """Are both known, and further apart than a weekend issue's dates?"""
    if not published or not on_page:
        return False
    apart = dt.date.fromisoformat(published) - dt.date.fromisoformat(on_page)
    return abs(apart.days) > NEAR_DAYS


def _word_count_marks(story: Story) -> dict[str, bool]:
    expected = story.words_expected
    if not expected:
        return {}
    over = count_words(story.text) - expected
    allowed = max(TOLERANCE_WORDS, TOLERANCE * expected)
    return {"words-missing": -over > allowed, "words-extra": over > allowed}


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
    parts: tuple[StoredPage, ...] = ()  # the pages on which the story goes on, in order
    is_cut: bool = False  # one of them could not be had


class PageReader:
    """Reads the pages of one archive by one profile."""

    def __init__(self, profile: Profile, archive: str) -> None:
        self._profile = profile
        self._archive = archive
        self._shapes = ShapeMatcher(profile)
        self._sections = frozenset(map(fold, profile.leave_out.sections))
        self._titles = [compile_pattern(pattern) for pattern in profile.leave_out.titles]
        self._texts = [compile_pattern(pattern) for pattern in profile.leave_out.texts]
        self._teasers = [compile_pattern(pattern) for pattern in profile.teasers]

    def read(self, page: StoredPage) -> ExtractionResult:
        """The stories of a page. The date comes from the address or index first."""
        try:
            found, low = self._parts(page)
        except UnreadableDocument as error:
            return ExtractionResult(str(error))
        if page.parts and len(found) == 1:
            found = [self._joined(found[0], page.parts)]
        made: list[tuple[Story, list[PackedChunk]]] = []
        reason = ""
        for index, parts in enumerate(found):
            refused = self._refuse(parts)
            reason = reason or refused
            if not refused:
                story = self._story(page, parts, index, len(found), low)
                profile = self._profile
                cut = chunks(story, profile.chunk, profile.name, profile.language)
                made.append((story, [chunk.packed() for chunk in cut]))
        return ExtractionResult("done" if made else reason, tuple(made))

    def _parts(self, page: StoredPage) -> tuple[list[StoryParts], bool]:
        """The stories as they stand on the page, and whether no selector found them."""
        profile = self._profile
        if page.kind in records.FILES and page.kind != records.HTML:
            stored = (page.body, page.url, profile.charset, profile.language)
            return [read_document(page.kind, *stored)], False
        markup = markup_of(page, profile)
        root = parse(markup)
        if root is None:
            raise UnreadableDocument("empty")
        found = self._shapes.read(root, page.kind)
        if found:
            if len(found) == 1 and not found[0].is_complete and may_have_tags(markup):
                tags = read_metadata(
                    root, page.url, profile.language, profile.months, printed=False
                )
                found = [found[0].completed(tags)]
            return [fill_from_name(parts, page.url) for parts in found], False
        parts = read_fallback(
            without_controls(markup).decode("utf-8"),
            root,
            page.url,
            profile.language,
            profile.months,
        )
        if parts is None:
            raise UnreadableDocument("no-text")
        return [fill_from_name(parts, page.url)], True

    def _joined(self, first: StoryParts, pages: Sequence[StoredPage]) -> StoryParts:
        """A story with the paragraphs of its further parts; what those print again, once."""
        told = list(first.paragraphs)
        for page in pages:
            try:
                found, _ = self._parts(page)
            except UnreadableDocument:
                continue
            known = frozenset(told)
            told += [text for parts in found for text in parts.paragraphs if text not in known]
        return replace(first, paragraphs=tuple(told))

    def _refuse(self, parts: StoryParts) -> str:
        """Why a story is left out, "" to keep it."""
        if parts.section and fold(parts.section) in self._sections:
            return "left-out-section"
        if any(pattern.search(parts.title) for pattern in self._titles):
            return "left-out-title"
        text = "\n\n".join(parts.paragraphs)
        if any(pattern.search(text) for pattern in self._texts):
            return "left-out-text"
        return "" if has_words(text, self._profile.min_words) else "too-short"

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
        marks = story_marks(story, parts.date, self._profile.language)
        if any(pattern.search(story.text) for pattern in self._teasers):
            marks = tuple(sorted({*marks, "teaser"}))
        if page.is_cut:
            marks = tuple(sorted({*marks, "parts-missing"}))
        return story.replace(marks=marks) if marks else story


def _story_url(url: str, anchor: str, index: int, count: int) -> str:
    """The address of a story: with the name of its place, where a page holds several.

    A page that names no places gets `#story-2`, which leads to the page and tells them apart.
    """
    if count == 1:
        return url
    return f"{url.partition('#')[0]}#{quote(anchor or f'story-{index + 1}', safe='')}"
