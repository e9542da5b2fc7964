"""What a crawl has left on disk, by the path of each story, and whether it is what was served."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from exchange.errors import UserError
from exchange.store.spool import Spool

Found = dict[str, bytes]


class StoredMismatch(UserError):
    """A crawl that did not store what it should: its speed means nothing."""


def ours(folder: Path, what: str) -> Found:
    """Raw bodies of stories after "fetch", else their texts."""
    archive = folder / "paper"
    if what != "fetch":
        spool = Spool.read(archive)
        try:
            return {_path(story.url): story.text.encode() for story in spool.stories()}
        finally:
            spool.close()
    connection = pages.connect_readonly(archive)
    bodies = RawStore(connection)
    try:
        return {
            _path(row["url"]): bodies.get(row["id"]) or b""
            for row in connection.execute(
                "SELECT id, url FROM pages WHERE kind='story' AND state='done' AND status=200"
            )
        }
    finally:
        connection.close()


def scrapy(folder: Path) -> Found:
    """Bodies or texts, whichever the crawl was to store."""
    connection = sqlite3.connect(folder / "stories.sqlite")
    try:
        return {
            _path(url): body for url, body in connection.execute("SELECT url, body FROM stories")
        }
    finally:
        connection.close()


def check_bodies(found: Found, wanted: Mapping[str, bytes], who: str) -> None:
    """Raises Unequal unless exactly these bodies were stored."""
    _all_there(found, wanted, who)
    differ = [path for path, body in wanted.items() if found[path] != body]
    if differ:
        raise StoredMismatch(f"{who}: {len(differ)} bodies differ, such as that of {differ[0]}")


def check_texts(found: Found, wanted: Mapping[str, list[str]], who: str) -> None:
    """Raises Unequal unless each text has its story's first and last paragraph."""
    _all_there(found, wanted, who)
    for path, paragraphs in wanted.items():
        text = found[path].decode()
        if paragraphs[0] not in text or paragraphs[-1] not in text:
            raise StoredMismatch(f"{who}: the text of {path} is not whole")


def last_line(log: Path) -> str:
    """The last thing a program said."""
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "nothing said"


def _all_there(found: Found, wanted: Mapping[str, object], who: str) -> None:
    if found.keys() != wanted.keys():
        missing = sorted(wanted.keys() - found.keys())
        raise StoredMismatch(
            f"{who}: stored {len(found)} stories of {len(wanted)}"
            + (f"; missing {missing[0]}" if missing else "")
        )


def _path(url: str) -> str:
    return urlsplit(url).path
