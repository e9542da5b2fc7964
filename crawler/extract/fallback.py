"""Text without a profile's help: trafilatura, with its default settings.

Its fast mode loses most of a page with several stories, its de-duplication destroys refrains,
and its dates are wrong for demotic months, so it is asked for none of these.
"""

from __future__ import annotations

from typing import Any

from crawler.decode import clean
from crawler.extract.shapes import Parts
from exchange.text import dates

_TITLES = ('//meta[@property="og:title"]/@content', "//h1", "//title")
_DATES = (
    '//meta[@property="article:published_time"]/@content', '//meta[@name="date"]/@content',
    "//article//time/@datetime", "//time/@datetime",
)  # fmt: skip


def read(text: str, root: Any) -> Parts | None:
    """The one story that a page seems to hold; None when there is no text.

    Args:
        text: the page as `str` (trafilatura guesses the charset of bytes, often wrongly).
    """
    from trafilatura import extract

    found = extract(text, include_comments=False, include_formatting=False)
    paragraphs = tuple(line for raw in (found or "").split("\n") if (line := clean(raw)))
    if not paragraphs:
        return None
    return Parts(_first(root, _TITLES), "", "", dates.parse(_first(root, _DATES)), paragraphs)


def _first(root: Any, paths: tuple[str, ...]) -> str:
    for path in paths:
        for item in root.xpath(path):
            text = clean(item.text_content() if hasattr(item, "tag") else str(item))
            if text:
                return text
    return ""
