"""The import itself: files into the raw store, each document once, known by its content or by its
address; then their text into the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from crawler import profiles, records
from crawler.daemon import SnapshotCallback, run_daemon
from crawler.discovery.links import extract_links
from crawler.extract.charset import markup_of
from crawler.extract.documents import ImportDocument
from crawler.extract.file_names import date_by_pattern
from crawler.frontier import pages
from crawler.frontier.frontier import Frontier
from crawler.frontier.raw_store import RawStore, fingerprint
from crawler.importing import ocr
from crawler.importing.files import DocumentSource
from crawler.importing.json_files import ImportOptions
from crawler.language import settled_profile
from crawler.profile import Profile
from crawler.records import Link
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import Stopped, UsageError
from exchange.lock import daemon_lock
from exchange.project import Project
from exchange.store import db


@dataclass(slots=True)
class ImportTally:
    """What an import has come to so far."""

    new: int = 0
    known: int = 0
    foreign: str = ""  # an address that the profile's site does not have, if one came
    rejected: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)  # of a reason, the first one told
    before: int = 0  # the last page that was known; those behind it are new
    pdfs: list[str] = field(default_factory=list)  # their keys: of what may be scans

    @property
    def documents(self) -> int:
        """What was no rejection."""
        return self.new + self.known


# what it came to, bytes read, bytes in all
ImportProgressCallback = Callable[[ImportTally, int, int], None]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import came to."""

    tally: ImportTally
    stopped: bool = False  # before all was made stories; the same call goes on
    scans: int = 0  # PDF files of pictures, which nobody has read
    language: str = ""  # of the archive
    outcomes: Mapping[str, int] = field(default_factory=dict)  # of the new ones: what came of them

    @property
    def few_stories(self) -> bool:
        """Was at least half of what came no text at all?"""
        return 2 * self.scans >= self.tally.documents


def import_files(
    project: Project,
    archive: str,
    settings: CrawlSettings,
    path: Path,
    *,
    date: re.Pattern[str] | None,
    fields: Mapping[str, str],
    on_progress: ImportProgressCallback,
    on_scan: Callable[[int, int], None],
    on_snapshot: SnapshotCallback,
) -> ImportResult:
    """Import a file or a folder. Asks the newspaper for nothing; the same call again goes on.

    Args:
        date: finds the date in a file's name, where the operator gave a pattern.
        fields: our names of a record's fields to those in the files.
        on_scan: called with how many scans were read, and of how many.

    Raises:
        UsageError: there is nothing at `path`, or a package that it needs is missing.
        UserError: a daemon runs on this archive, or the disk is full.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    profile = profiles.load(settings, archive, imported=True)
    folder = path if path.is_dir() else None
    told = profile.language or settings.language
    options = ImportOptions(fields, profile.charset, told, folder)
    files = DocumentSource(path, project.data, options)
    directory = project.archive_dir(archive)
    tally = asyncio.run(_store_documents(directory, profile, files, date, on_progress))
    try:
        asyncio.run(_extract(project, archive, settings, on_snapshot))
        scans = ocr.count_scans(directory, tally.pdfs)
        language = settled_profile(project, archive, settings, imported=True).language
        if scans and not ocr.missing_for_ocr(language):
            asyncio.run(ocr.read_scans(directory, tally.pdfs, language, on_scan))
            asyncio.run(_extract(project, archive, settings, on_snapshot))
            ocr.settle_scans(directory)
            scans = ocr.count_scans(directory, tally.pdfs)
    except Stopped:
        return ImportResult(tally, stopped=True)
    with contextlib.closing(pages.connect_readonly(directory)) as connection:
        outcomes = pages.outcomes_after(connection, tally.before)
    return ImportResult(tally, scans=scans, outcomes=outcomes, language=language)


async def _extract(
    project: Project, archive: str, settings: CrawlSettings, on_snapshot: SnapshotCallback
) -> None:
    await run_daemon(
        project, archive, settings, fetch=False, generate=False, on_snapshot=on_snapshot
    )


async def _store_documents(
    directory: Path,
    profile: Profile,
    files: DocumentSource,
    date: re.Pattern[str] | None,
    on_progress: ImportProgressCallback,
) -> ImportTally:
    total = files.size()
    with ExitStack() as stack:
        stack.enter_context(daemon_lock(directory))
        frontier = Frontier.open(directory)
        stack.callback(frontier.close)
        store = DocumentStore(frontier, CrawlScope(profile), date)
        for batch in files.batches():
            store.put(batch)
            on_progress(store.tally, files.read, total)
            await asyncio.sleep(0)  # a Ctrl-C between two batches finds everything written
    return store.tally


class DocumentStore:
    """Writes batches; one transaction each, so that a crash keeps whole batches.

    Args:
        date: finds the date in an item's name, where the operator gave a pattern.
    """

    def __init__(self, frontier: Frontier, site: CrawlScope, date: re.Pattern[str] | None) -> None:
        self.tally = ImportTally(before=pages.last_page(frontier.db))
        self._frontier = frontier
        self._db = frontier.db
        self._bodies = RawStore(frontier.db)
        self._site = site
        self._date = date
        self._starts = {site.absolute(link.url): link for link in site.starts()}

    def put(self, items: Sequence[ImportDocument]) -> None:
        """Store a batch: new ones are due for extraction, what is wrong is kept with its reason."""
        self._bodies.prepare()
        found: list[Link] = []
        with db.transaction(self._db):
            for item in items:
                found += self._reject(item) if item.reason else self._store(item)
        if found:
            self._frontier.seed(found)

    def _store(self, item: ImportDocument) -> list[Link]:
        """Store one document; the links of an index page that came in are worth following."""
        page = self._page_for(item)
        if item.kind == records.PDF:
            self.tally.pdfs.append(page.key)
        inserted = self._db.execute(
            "INSERT INTO pages(key, url, kind, issue, priority, state, status, charset, body_hash, "
            "leased_at) VALUES (?,?,?,?,?,'done',200,?,?,?) ON CONFLICT(key) DO UPDATE SET "
            "state='done', reason='', status=200, charset=excluded.charset, "
            "body_hash=excluded.body_hash, leased_at=excluded.leased_at "
            "WHERE state NOT IN ('done', 'leased') RETURNING id",
            (
                page.key,
                page.url,
                page.kind,
                page.issue,
                page.priority,
                item.charset,
                fingerprint(item.body),
                time.time(),
            ),
        ).fetchone()
        if inserted is None:
            self.tally.known += 1
            return []
        self.tally.new += 1
        self._bodies.put(inserted[0], item.body)
        if page.kind in records.FILES or self._site.has_stories(page.kind):
            # Apart, as the counters of texts see changes, not additions.
            self._db.execute("UPDATE pages SET text='waiting' WHERE id=?", inserted)
        if page.kind in records.FILES or not self._site.has_links(page.kind):
            return []
        markup = markup_of(item, self._site.profile)
        return list(extract_links(markup, item.url, self._site, page.kind, page.issue))

    def _reject(self, item: ImportDocument) -> list[Link]:
        """Count it and list it as failed, once. Nothing of it is worth following."""
        self.tally.rejected[item.reason] += 1
        if item.detail:
            self.tally.details.setdefault(item.reason, item.detail)
        if not item.kind:
            return []  # never a document, such as a file of unknown type
        page = self._page_for(item)
        added = self._db.execute(
            "INSERT INTO pages(key, url, kind, priority, state, reason) "
            "VALUES (?,?,?,1,'failed',?) ON CONFLICT(key) DO NOTHING",
            (page.key, page.url, page.kind, item.reason),
        ).rowcount
        if added:
            pages.count(self._db, f"reason.{item.reason}")
        return []

    def _page_for(self, item: ImportDocument) -> Link:
        """The page that an item is: one of the newspaper's own, or a file."""
        issue = date_by_pattern(self._date, item.name) if self._date else ""
        if item.kind == records.HTML and item.url:
            own = self._site.classify(item.url, issue=issue) or self._starts.get(item.url)
            if own is not None:
                return own
            if not self._site.in_scope(item.url):
                self.tally.foreign = self.tally.foreign or _own_address(item.url)
        key = f"@file:{_digest(item.body or item.name.encode('utf-8', 'surrogateescape'))}"
        named = "import:" + quote(item.name.encode("utf-8", "surrogateescape"), safe="/#")
        return Link(key, _own_address(item.url) or named, item.kind, issue, 1)


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _own_address(url: str) -> str:
    """An address that a document names as its own, if it is one."""
    fits = url.startswith(("http://", "https://")) and len(url) <= 2000 and url.isprintable()
    return url if fits else ""
