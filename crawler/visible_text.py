"""What a reader sees of a page, by its bytes alone: quick, and good enough to compare two pages."""

from __future__ import annotations

import re

BLOCK = 40  # bytes; shorter ones are labels, which pages of one site share
SAME = 0.8  # of the text of a page; the rest may be a counter, a date, a banner
_SILENT = re.compile(rb"<(script|style|noscript|svg|template)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TAG = re.compile(rb"<[^>]*(?:>|\Z)")  # or each "<" of a page without ">" would read all of it


def visible_text(body: bytes) -> str:
    """The text between the tags, single blanks between its words."""
    bare = _TAG.sub(b" ", _SILENT.sub(b" ", body))
    return b" ".join(bare.split()).decode("utf-8", "ignore")


def same_text(page: bytes, other: bytes) -> bool:
    """Does nearly all that one page says stand on the other, too?"""
    blocks, others = _blocks(page), _blocks(other)
    if not blocks:
        return visible_text(page) == visible_text(other)
    return sum(map(len, blocks & others)) >= SAME * sum(map(len, blocks))


def _blocks(body: bytes) -> set[bytes]:
    found = (b" ".join(block.split()) for block in _TAG.split(_SILENT.sub(b" ", body)))
    return {block for block in found if len(block) >= BLOCK}
