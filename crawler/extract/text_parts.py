"""Plain text, and records with named fields, to a story's parts. Pure functions.

A record is what people's exports hold: one object of a JSON file, one row of a table. Its fields
go by many names and its values come in many forms; both are listed here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.html import paragraphs, parse
from crawler.extract.shapes import StoryParts
from exchange.text import dates
from exchange.text.fold import plain_name
from exchange.text.scripts import FULL_STOPS, QUESTION_MARKS

# The names that exports give to the same six things, letters and digits alone; the first that
# holds something counts.
FIELDS = {
    field: tuple(names.split())
    for field, names in {
        "text": "text articlebody body bodytext content fulltext articletext maintext storytext "
        "plaintext cleanedtext article story paragraphs encoded bodyhtml contenthtml html",
        "title": "title headline heading name",
        "date": "date published datepublish datepublished publishedat publishedon pubdate "
        "publishdate publicationdate publisheddate issued dateissued issuedate timestamp datetime "
        "createdat created datecreated",
        "author": "author authors byline creator writer",
        "section": "section articlesection category categories rubric",
        "url": "url link permalink canonicalurl weburl sourceurl mainentityofpage uri id",
    }.items()
}
# Where the words stand in a value that is an object: schema.org, WordPress, editors' blocks.
_INSIDE = ("text", "name", "rendered", "value", "@value", "#text", "content", "html", "data", "@id")
_ADDRESS = ("http://", "https://")  # an author or section told by a page about it
_DEPTH = 6  # of objects in objects; no export that was seen has more than four
_BLANK = re.compile(r"\n[ \t\f\r\u00a0]*\n")
_MARKUP = re.compile(r"<(?:p|br|div|span|li|a|b|i|em|strong|h\d|img)\b[^<>]*>", re.I)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[\da-f]{2,6});", re.I)
_ENDS = (*FULL_STOPS, *QUESTION_MARKS, *"·:»”\"'’)」』")
_ENDED = 0.6  # of the lines; of lines cut at a width one in eight ends with its sentence
_LONG = 120  # characters: no line that was cut at a width is as long


def story_parts(told: Mapping[str, Any], language: str) -> StoryParts | None:
    """The story that a record tells; None when nothing in it is its text."""
    told = _with_text(told)
    text = text_of(told)
    if not text:
        return None
    return named_parts(told, value_of(told, "title"), text_paragraphs(text), language)


def named_parts(told: Mapping[str, Any], title: str, found: list[str], language: str) -> StoryParts:
    """Title and paragraphs, and what a record or front matter says beside them."""
    return StoryParts(
        clean(title),
        value_of(told, "section"),
        value_of(told, "author"),
        date_of(told, language),
        tuple(found),
    )


def text_of(told: Mapping[str, Any]) -> str:
    """A record's text as it is written, paragraphs of a list parted by blank lines; "" for none."""
    for value in _values(told, "text"):
        if text := "\n\n".join(filter(str.strip, _words(value))):
            return text
    return ""


def value_of(told: Mapping[str, Any], field: str) -> str:
    """One of `FIELDS` as a line of text; several values are joined by commas."""
    for value in _values(told, field):
        found = [_line(words) for words in _words(value) if not words.startswith(_ADDRESS)]
        if found := list(dict.fromkeys(filter(None, found))):
            return ", ".join(found)
    return ""


def date_of(told: Mapping[str, Any], language: str) -> str:
    """ISO, as the record's own date says: a string, or seconds or milliseconds since the epoch."""
    for value in _values(told, "date"):
        for words in _words(value):
            if found := dates.epoch_date(words) or dates.parse_date(words, language=language):
                return found
    return ""


def url_of(told: Mapping[str, Any]) -> str:
    """Where the record says that it was published, "" when it does not."""
    for value in _values(told, "url"):
        for words in _words(value):
            if words.startswith(_ADDRESS):
                return words.strip()
    return ""


def text_paragraphs(text: str) -> list[str]:
    """The paragraphs of a text that may be markup, also markup written as text (`&lt;p&gt;`)."""
    if not _MARKUP.search(text) and _ENTITY.search(text):
        text = html.unescape(text)
    if not _MARKUP.search(text):
        return plain_paragraphs(text)
    root = parse(text)
    return paragraphs([root]) if root is not None else []


def plain_paragraphs(text: str) -> list[str]:
    """Blank lines part paragraphs. Where there are none, lines do that end with a sentence, or that
    are too long to have been cut at a width; beside blank lines, those that are both.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n\n")
    pieces = _BLANK.split(text.strip())
    found: list[str] = []
    for piece in pieces:
        lines = [line.strip() for line in piece.split("\n") if line.strip()]
        ended = [line.endswith(_ENDS) for line in lines[:-1]]
        if len(ended) > 1 and not ended[0]:
            del ended[0]  # a title
        long = max(map(len, lines), default=0) > _LONG
        whole = sum(ended) >= _ENDED * len(ended)
        apart = (long or whole) if len(pieces) == 1 else (long and whole)
        found += lines if apart else [piece]
    return [said for piece in found if (said := clean(piece))]


def _with_text(told: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """The record itself, or with what an object inside says, where only that has a text."""
    if depth > _DEPTH or text_of(told):
        return told
    for value in told.values():
        if isinstance(value, dict) and text_of(inner := _with_text(value, depth + 1)):
            return {**told, **inner}
    return told


def _values(told: Mapping[str, Any], field: str) -> Iterator[Any]:
    """What a record holds under the names of a field, by the order of the names."""
    known = {plain_name(name): value for name, value in reversed([*told.items()]) if value}
    return (known[name] for name in FIELDS[field] if name in known)


def _words(value: Any, depth: int = 0) -> list[str]:
    """The strings and numbers in a value, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, dt.date):  # TOML has dates of its own
        return [value.isoformat()]
    if depth > _DEPTH:
        return []
    if isinstance(value, list):
        return [words for each in value for words in _words(each, depth + 1)]
    if isinstance(value, dict):
        for name in _INSIDE:
            if found := _words(value.get(name), depth + 1):
                return found
    return []


def _line(words: str) -> str:
    root = parse(words) if _MARKUP.search(words) else None
    return clean(" ".join(paragraphs([root])) if root is not None else html.unescape(words))
