"""Pages that say "you are blocked" with status 200. To store one would be to lose a story."""

from __future__ import annotations

import re

LOOKED_AT = 32 * 1024  # bytes; such pages are short, and say so at once
# The titles of widespread protections. A story's title does not consist of one of these alone.
_TITLES = re.compile(
    rb"<title[^>]{0,200}>\s*(?:just a moment\W*|attention required!?[^<]{0,40}|access denied"
    rb"|are you (?:a robot|human)\??|request rejected|too many requests|ddos-guard"
    rb"|checking your browser[^<]{0,40}|verifying you are human[^<]{0,40})\s*</title",
    re.I,
)


def is_block_page(body: bytes, text: str, marks: list[re.Pattern[str]]) -> bool:
    """True when a page is no story but a refusal.

    Args:
        text: the decoded beginning of the body; may be "" when there are no marks.
        marks: the profile's own patterns.
    """
    return _titled(body) or any(mark.search(text) for mark in marks)


def _titled(body: bytes) -> bool:
    """Nearly every page has its title early and in lower case: then only that is looked at."""
    at = body.find(b"<title", 0, LOOKED_AT)
    found = _TITLES.match(body, at) if at >= 0 else _TITLES.search(body, 0, LOOKED_AT)
    return found is not None
