"""Pages that say "you are blocked" with status 200. To store one would be to lose a story."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from html import unescape
from importlib.resources import files
from typing import NamedTuple

from crawler.patterns import ProfilePattern
from crawler.visible_text import visible_text
from exchange.text.fold import WORD, fold

BLOCK_PAGE_BYTES = 32 * 1024  # bytes; such pages are short, and say so at once
# Characters of text; a page that has more below such a title is a story about it. One or two words
# may well be a story's title; three, or a protection's own name beside them, hardly are.
TITLE_TEXT, SHORT_TITLE_TEXT = 1500, 600
MARK_TEXT = 800  # characters of text; a page that has more is no challenge, whatever scripts it has
LONGEST_TITLE = 300  # bytes
FEW_PARAGRAPHS = 3
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,300})</title", re.I)
_PARTS = re.compile(r"\s[-–—·•»:]+\s|[|]|:\s")


class _Signs(NamedTuple):
    titles: frozenset[str]
    products: frozenset[str]
    beginnings: tuple[str, ...]
    rare: frozenset[str]  # each title's longest word: hardly any story's title has one
    marks: tuple[bytes, ...]


@cache
def _signs() -> _Signs:
    raw = tomllib.loads(files("crawler.fetch").joinpath("block_pages.toml").read_text("utf-8"))
    titles = frozenset(map(_words, raw["titles"]))
    return _Signs(
        titles,
        frozenset(map(_words, raw["products"])),
        tuple(map(_words, raw["beginnings"])),
        frozenset(max(title.split(), key=len) for title in titles),
        tuple(mark.encode() for mark in raw["marks"]),
    )


def is_block_page(body: bytes, text: str, marks: list[ProfilePattern]) -> bool:
    """True when a page is no story but a refusal.

    Args:
        text: the decoded beginning of the body; may be "" when there are no marks.
        marks: the profile's own patterns.
    """
    if any(mark.search(text) for mark in marks):
        return True
    most = _text_below(_title_of(body))
    if most and visible_length(body) < most:
        return True
    return _looks_bare(body) and _has_mark(body) and visible_length(body) < MARK_TEXT


def _title_of(body: bytes) -> str:
    """Nearly every page has its title early and in lower case: then only that is looked at."""
    at = body.find(b"<title", 0, BLOCK_PAGE_BYTES)
    found = _TITLE.match(body, at) if at >= 0 else _TITLE.search(body, 0, BLOCK_PAGE_BYTES)
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _text_below(title: str) -> int:
    """How much text a refusal of this title has at most; 0 when it is none's title.

    A site's name may stand before or behind what it says.
    """
    whole = _words(title)
    signs = _signs()
    if whole.startswith(signs.beginnings):
        return TITLE_TEXT
    if signs.rare.isdisjoint(whole.split()):
        return 0
    if whole in signs.titles:
        return TITLE_TEXT if whole.count(" ") > 1 else SHORT_TITLE_TEXT
    parts = [words for words in map(_words, _PARTS.split(title)) if words]
    if len(parts) < 2 or signs.titles.isdisjoint(parts):
        return 0
    return SHORT_TITLE_TEXT if signs.products.isdisjoint(parts) else TITLE_TEXT


def _words(text: str) -> str:
    return " ".join(WORD.findall(fold(text.replace("'", "").replace("’", ""))))


def _looks_bare(body: bytes) -> bool:
    """Few paragraphs, or hardly anything: all other pages need no closer look."""
    if len(body) > 2 * BLOCK_PAGE_BYTES:
        return False
    return len(body) < BLOCK_PAGE_BYTES // 4 or not any(
        _occurs(tag, body) for tag in (b"<p", b"<br", b"<P", b"<BR")
    )


def _occurs(tag: bytes, body: bytes) -> bool:
    """More often than in challenges; looked for from the middle, where texts are, then from the
    beginning, and stops as soon as that is known."""
    return any(_follows(tag, body, start) for start in (len(body) // 2, 0))


def _follows(tag: bytes, body: bytes, at: int) -> bool:
    for _ in range(FEW_PARAGRAPHS + 1):
        at = body.find(tag, at) + 1
        if not at:
            return False
    return True


def _has_mark(body: bytes) -> bool:
    return any(mark in body for mark in _signs().marks)


def visible_length(body: bytes) -> int:
    """About how many characters of a page a reader sees."""
    return len(visible_text(body[: 2 * BLOCK_PAGE_BYTES]))
