"""What was lost in bulk: stories held back, pages that gave none, a crawl that found nothing.

A loss is no success: whoever ends with one says its cause and its cure in a line, and fails.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crawler import records
from crawler.frontier import pages
from crawler.status import report
from exchange.errors import NotFound, UsageError
from exchange.records import MARKS, WITHHELD
from exchange.store import failures
from exchange.store.spool import FILE, Spool, open_tasks

if TYPE_CHECKING:
    from crawler.scope import CrawlScope

LEAST = 10  # of anything; a few are no bulk, unless they are all
LEAST_PAIRS, KEPT_SHARE = 30, 0.05  # fewer kept than that say that something is wrong
HELD_SHARE = 0.5  # of the stories, held back for one reason
NO_STORY_SHARE = 0.5  # of the pages that should hold one
INDEXES_READ = 5  # stored pages whose links are looked at
_LOST = frozenset({"other-language", "broken-characters", "boilerplate"})  # of others a copy stays
_CURES = {
    "other-language": "its language is not the newspaper's: set `language` in the profile, or "
    "crawl.language",
    "broken-characters": "it was read in a wrong charset: set `charset` in the profile",
    "boilerplate": "the profile's `text` takes what every page has: narrow it, or `drop` that",
    "duplicate": "many addresses show one text: give the kinds a `key` that tells stories apart",
    "edition": "many addresses show one text: give the kinds a `key` that tells stories apart",
    "teaser": "what is read leads to stories elsewhere: name those pages as a kind",
}


@dataclass(frozen=True, slots=True)
class BulkLoss:
    """What is lost, why, and what to do about it."""

    code: str  # nothing-found, no-stories, stories-held, stories-missing, pairs-rejected
    says: str


def find_losses(
    directory: Path,
    archive: str,
    scope: Callable[[], CrawlScope],
    pages_counted: Mapping[str, int] | None = None,
    spool_counted: Mapping[str, int] | None = None,
) -> list[BulkLoss]:
    """The bulk losses of an archive so far, the gravest first; [] while pages are under way.

    Args:
        scope: of its profile; asked only when something is wrong.
        pages_counted, spool_counted: the counters, if they are known already.
    """
    counted = report.read_counters(directory) if pages_counted is None else pages_counted
    if spool_counted is None:
        spool_counted = _spool_counters(directory)
    found = [
        loss
        for loss in (
            _missing(counted, spool_counted, archive),
            _held(spool_counted),
            _rejected(spool_counted),
        )
        if loss
    ]
    under_way = sum(counted.get(f"pages.{state}", 0) for state in ("waiting", "leased"))
    if under_way or counted.get("text.waiting"):
        return found
    with suppress(UsageError):  # the profile is away: other commands say so
        if not spool_counted.get("stories") and not counted.get("text.done"):
            return [_nothing(directory, archive, counted, scope), *found] if counted else found
        if loss := _without_story(directory, archive, counted, scope):
            found.append(loss)
    return found


def _spool_counters(directory: Path) -> dict[str, int]:
    try:
        spool = Spool.read(directory)
    except NotFound:
        return {}
    try:
        return spool.counters()
    finally:
        spool.close()


def _missing(
    counted: Mapping[str, int], spool_counted: Mapping[str, int], archive: str
) -> BulkLoss | None:
    """More pages gave a story than there are stories: the spool was lost or is an older one."""
    read, stories = counted.get("text.done", 0), spool_counted.get("stories", 0)
    if stories >= read:
        return None
    return BulkLoss(
        "stories-missing",
        f"{read:,} pages gave stories and {stories:,} stories are here: {FILE} was lost, or is "
        f"older than {pages.FILE}; `kkoracle crawl {archive}` reads them again from disk, or "
        f"{failures.RESTORE}, with what was generated",
    )


def find_held(directory: Path) -> BulkLoss | None:
    """Stories that an import or a crawl brought and that give no task, if there are many."""
    return _held(_spool_counters(directory))


def _rejected(counted: Mapping[str, int]) -> BulkLoss | None:
    """Nearly every pair was rejected: the model or the prompt does not fit."""
    kept, rejected = (counted.get(f"pairs.{state}", 0) for state in ("accepted", "rejected"))
    if rejected < LEAST_PAIRS or kept > KEPT_SHARE * (kept + rejected):
        return None
    reasons = {name: count for name, count in counted.items() if name.startswith("rejected.")}
    worst = max(reasons, key=lambda name: (reasons[name], name), default="")
    why = f"{worst.removeprefix('rejected.')} {reasons[worst]:,}" if worst else "no reason"
    return BulkLoss(
        "pairs-rejected",
        f"{rejected:,} of {kept + rejected:,} pairs were rejected ({why}): `kkoracle work --probe` "
        "shows what the model writes; try another model or prompt, then `kkoracle recheck`",
    )


def _held(counted: Mapping[str, int]) -> BulkLoss | None:
    """Stories that give no task, if there are many of one reason or nothing is left."""
    stories = counted.get("stories", 0)
    held = {
        code: count for code in WITHHELD if (count := counted.get(f"marks.{code}", 0)) and stories
    }
    if not held:
        return None
    code = max(held, key=lambda name: (name in _LOST, held[name], name))
    nothing_left = not counted.get("chunks.live") and not open_tasks(counted)
    many = code in _LOST and held[code] >= LEAST and held[code] >= HELD_SHARE * stories
    if not (many or nothing_left):
        return None
    return BulkLoss(
        "stories-held",
        f"{held[code]:,} of {stories:,} stories are held back as {code} ({MARKS[code]}): "
        f"{_CURES[code]}",
    )


def _nothing(
    directory: Path, archive: str, counted: Mapping[str, int], scope: Callable[[], CrawlScope]
) -> BulkLoss:
    """Why a crawl or an import ended without a story, from what its pages came to."""
    why = Counter(
        {
            name.partition(".")[2]: count
            for name, count in counted.items()
            if name.startswith(("reason.", "text.")) and name not in ("text.done", "text.waiting")
        }
    )
    fetched = counted.get("pages.done", 0)
    reason, count = why.most_common(1)[0] if why else ("", 0)
    base = scope().profile.base
    if fetched and not any(name.startswith("text.") for name in counted):
        return BulkLoss("nothing-found", _no_links(directory, scope()))
    says = {
        "robots": f"robots.txt of {base} forbids every address that was asked for: ask the "
        "newspaper, or start at pages that it allows",
        "redirect-out": f"{base} leads to another host, most likely {_other_host(base)}: make "
        "that the `base` of the profile (crawl.base_url), or name it in `hosts`",
    }.get(reason)
    if says is None and count:
        says = (
            f"no page gave a story ({reason} {count:,} of {sum(why.values()):,}): "
            f"`kkoracle archive review {archive}` shows which, `kkoracle archive learn` proposes a "
            "profile that fits the pages"
        )
    return BulkLoss("nothing-found", f"nothing was found: {says or 'no page was asked for'}")


def _other_host(base: str) -> str:
    parts = urlsplit(base)
    host = parts.netloc
    other = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    return f"{parts.scheme}://{other}"


def _no_links(directory: Path, scope: CrawlScope) -> str:
    """Pages came, and none of them led to a story: which links were nearly one?"""
    from crawler.extract.charset import markup_of
    from crawler.extract.html import parse
    from crawler.extract.worker import load
    from crawler.frontier.raw_store import RawStore

    profile = scope.profile
    near: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    connection = pages.connect_readonly(directory)
    try:
        ids = connection.execute("SELECT page FROM bodies ORDER BY page LIMIT ?", (INDEXES_READ,))
        for (page,) in ids.fetchall():
            stored = load(connection, RawStore(connection), page, scope.origin)
            if stored is None:
                continue
            root = parse(markup_of(stored, profile))
            for link in root.iter("a", "area") if root is not None else ():
                address = (link.get("href") or "").strip()
                if found := scope.kind_without_key(address, stored.url):
                    near[found] += 1
                    examples.setdefault(found, address)
    finally:
        connection.close()
    if near:
        (kind, key), count = near.most_common(1)[0]
        return (
            f"nothing was found: {count:,} links have the `path` of the kind {kind!r} and none its "
            f"`key` {key!r}, such as {examples[kind, key][:100]}: correct the key or the path in "
            "the profile"
        )
    return (
        "nothing was found: no link of the pages that came leads to a story by the profile's "
        f"kinds: look at their `path`s, or `kkoracle archive learn {profile.base}` proposes "
        "others"
    )


def _without_story(
    directory: Path, archive: str, counted: Mapping[str, int], scope: Callable[[], CrawlScope]
) -> BulkLoss | None:
    """Most pages that should hold a story hold none; indexes that may hold one do not count."""
    texts = {n: c for n, c in counted.items() if n.startswith("text.") and n != "text.waiting"}
    missing = sum(texts.values()) - texts.get("text.done", 0)
    if missing < LEAST or missing < NO_STORY_SHARE * sum(texts.values()):
        return None
    kinds = scope().profile.kinds
    wanted: Counter[str] = Counter()
    for kind, text, count in _texts_by_kind(directory):
        if kind in records.FILES or (kind in kinds and kinds[kind].role == "story"):
            wanted[text] += count
    lost = wanted.total() - wanted["done"]
    if lost < LEAST or lost < NO_STORY_SHARE * wanted.total():
        return None
    del wanted["done"]
    reason, count = wanted.most_common(1)[0]
    return BulkLoss(
        "no-stories",
        f"{lost:,} of {lost + texts.get('text.done', 0):,} pages gave no story ({reason} "
        f"{count:,}): `kkoracle archive review {archive}` shows which; the profile's shapes do not "
        "fit them",
    )


def _texts_by_kind(directory: Path) -> list[tuple[str, str, int]]:
    connection = pages.connect_readonly(directory)
    try:
        rows: list[sqlite3.Row] = connection.execute(
            "SELECT kind, text, COUNT(*) FROM pages WHERE state='done' "
            "AND text NOT IN ('', 'waiting') GROUP BY kind, text"
        ).fetchall()
    finally:
        connection.close()
    return [(row[0], row[1], row[2]) for row in rows]
