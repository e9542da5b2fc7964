"""Pages that came to nothing: state, reason and address, and how to have them tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from crawler.frontier import pages
from crawler.frontier.frontier import Frontier
from crawler.scope import CrawlScope
from exchange.lock import daemon_lock
from exchange.store import db

# What a page's outcome says to people. The rest of the codes speak for themselves.
REASON_TEXTS = {
    "robots": "robots.txt does not allow it",
    "moved": "the address leads to another page, which has its own entry",
    "redirect-loop": "it leads in a circle, also when its cookies are told",
    "blocked": "the site shows programs a wall",
    "redirect-out": "the address leads out of the newspaper",
    "not-html": "no page but a file of another type",
    "too-big": "longer than 5 MB",
    "hung": "reading it took longer than extract_s",
    "crashed": "reading it failed inside kkoracle",
    "no-text": "no text found: does the profile know this layout?",
    "scan": "a PDF of pictures: run OCR first, as docs/importing.md says",
    "no-text-field": "no field is called text, body or content: import it with --field text=NAME",
    "encoding": "its body is not in the coding that it names",
    "too-short": "fewer words than the profile's min_words",
    "http-401": "wants a login, which is out of scope",
    "http-402": "behind a paywall",
    "http-403": "the site refuses it",
    "http-404": "not there",
}
_FAILED = "state='failed'"
_NO_STORY = "state='done' AND text NOT IN ('', 'waiting', 'done')"


@dataclass(frozen=True, slots=True)
class PageFailure:
    """One page, or the count of many with the same fate."""

    state: str  # "failed", or "no story" for a page that is here but yields none
    reason: str
    count: int = 1
    url: str = ""
    tries: int = 0


def count_failures(connection: sqlite3.Connection) -> list[PageFailure]:
    """How many pages failed for which reason, most first."""
    rows = connection.execute(
        f"SELECT 'failed' AS state, reason, COUNT(*) AS count FROM pages WHERE {_FAILED} "
        f"GROUP BY reason UNION ALL SELECT 'no story', text, COUNT(*) FROM pages WHERE {_NO_STORY} "
        "GROUP BY text ORDER BY count DESC, reason"
    )
    return [PageFailure(row["state"], row["reason"], row["count"]) for row in rows]


def list_failures(
    connection: sqlite3.Connection, site: CrawlScope, reason: str | None, limit: int
) -> Iterator[PageFailure]:
    """Single pages, the most recently tried first."""
    rows = connection.execute(
        f"SELECT 'failed' AS state, reason, url, tries, leased_at FROM pages WHERE {_FAILED} "
        "AND (?1 IS NULL OR reason=?1) UNION ALL "
        f"SELECT 'no story', text, url, tries, leased_at FROM pages WHERE {_NO_STORY} "
        "AND (?1 IS NULL OR text=?1) ORDER BY leased_at DESC LIMIT ?2",
        (reason, limit),
    )
    for row in rows:
        yield PageFailure(row["state"], row["reason"], 1, site.absolute(row["url"]), row["tries"])


def retry_failed_pages(directory: Path, reason: str | None) -> tuple[int, int]:
    """Make failed pages due again, and pages without a story due for extraction.

    Files that were imported are not fetched: import them again.

    Returns:
        How many are to be asked for, and how many are to be read again from disk.

    Raises:
        UserError: a daemon runs on this archive.
    """
    with daemon_lock(directory):
        frontier = Frontier.open(directory)
        try:
            with db.transaction(frontier.db):
                asked = frontier.ask_again(
                    f"{_FAILED} AND kind NOT LIKE '@%' AND (?1 IS NULL OR reason=?1)", (reason,)
                )
                read = frontier.db.execute(
                    f"UPDATE pages SET text='waiting' WHERE {_NO_STORY} "
                    "AND (?1 IS NULL OR text=?1)",
                    (reason,),
                ).rowcount
        finally:
            frontier.close()
    return asked, read


def print_failures(
    directory: Path,
    archive: str,
    site: CrawlScope,
    *,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the list, most frequent reason first, and how to try again."""
    connection = pages.connect_readonly(directory)
    try:
        counted = count_failures(connection)
        listed = list(list_failures(connection, site, reason, limit))
    finally:
        connection.close()
    if as_json:
        print(orjson.dumps({"groups": counted, "pages": listed}).decode())  # noqa: T201
        return
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    if not counted:
        console.print(f"{archive}: no page failed")
        return
    for group in counted:
        means = REASON_TEXTS.get(group.reason, "")
        console.print(f"{group.count:8,}  {group.state:8}  {group.reason:16} {means}", markup=False)
    console.print()
    for page in listed:
        console.print(f"{page.state:8}  {page.reason:16} {page.url}", markup=False)
    shown = sum(group.count for group in counted if reason in (None, group.reason))
    if shown > len(listed):
        console.print(f"... and {shown - len(listed):,} more (--limit, --reason)")
    console.print(
        f"\nto try them again: `kkoracle archive retry {archive}"
        f"{f' --reason {reason}' if reason else ''}`, then `kkoracle crawl {archive}`"
    )
