"""Kinds of pages that no profile names: lists that machines write, and files brought by hand.

They begin with "@", which no profile's kind may, so both live in one frontier.
"""

from __future__ import annotations

START = ""  # a start page that is no kind of the profile
ROBOTS = "@robots"  # not asked for: the rules that are known already, for the sitemaps they name
SITEMAP = "@sitemap"
FEED = "@feed"
LISTS = (ROBOTS, SITEMAP, FEED)
# Sitemaps that other sitemaps lead to: one for each day of fifty years; made up without end, they
# stop here.
BUDGETS = {f"{SITEMAP}:2": 20_000, f"{SITEMAP}:3": 20_000}

HTML = "@html"
TEXT = "@text"
MARKDOWN = "@markdown"
JSON = "@json"  # one record of a JSON or JSONL file
PDF = "@pdf"
FILES = (HTML, TEXT, MARKDOWN, JSON, PDF)  # never fetched: brought in by `kkoracle import`


def is_list(kind: str) -> bool:
    """True for sitemaps and feeds, which are read as XML, whatever their Content-Type says."""
    return kind.partition(":")[0] in LISTS


def is_ours(kind: str) -> bool:
    """True for kinds that no profile knows."""
    return kind == START or kind.startswith("@")
