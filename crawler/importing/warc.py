"""WARC files: the pages of an earlier crawl come in, ours go out (the `warc` extra: warcio)."""

from __future__ import annotations

import datetime as dt
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from crawler import records
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.fetch.client import MAX_BODY
from crawler.fetch.response import HTML
from crawler.frontier.raw_store import RawStore
from crawler.scope import CrawlScope
from exchange.errors import UsageError
from exchange.files import atomic_path

_COLUMNS = "p.url, p.charset, p.etag, p.last_modified, p.leased_at, b.body"
# Files that were imported are no responses of the site.
_STORED = "FROM bodies b JOIN pages p ON p.id=b.page WHERE p.kind NOT LIKE '@%'"


def require_warcio() -> Any:
    """The module, or one line that says how to get it."""
    try:
        import warcio
    except ImportError:
        raise UsageError("WARC files need warcio: pip install 'kkoracle[warc]'") from None
    return warcio


def read_warc(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """The HTML pages of a WARC, in order; a damaged file yields what comes before the damage."""
    require_warcio()
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    at = number = 0
    with path.open("rb") as stream:
        try:
            for number, record in enumerate(ArchiveIterator(stream, no_record_parse=False), 1):
                item = _page(record, f"{name}#{number}")
                if item is not None:
                    yield item
                tell(stream.tell() - at)
                at = stream.tell()
        except (ArchiveLoadFailed, ValueError, KeyError, AttributeError, IndexError):
            yield ImportDocument(f"{name}#{number + 1}", records.HTML, reason="broken-warc")
            return
    if not number:
        yield ImportDocument(name, records.HTML, reason="broken-warc")


def _page(record: Any, name: str) -> ImportDocument | None:
    """A response with status 200 that is HTML; everything else in a WARC is passed over."""
    if record.rec_type != "response" or record.http_headers is None:
        return None
    if record.http_headers.get_statuscode() != "200":
        return None
    told = str(record.http_headers.get_header("Content-Type") or "")
    kind, _, rest = told.partition(";")
    if kind.strip().lower() not in HTML:
        return None
    url = str(record.rec_headers.get_header("WARC-Target-URI") or "").strip("<>")
    body = record.content_stream().read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        return ImportDocument(name, records.HTML, url.encode(), url, reason="too-big")
    if getattr(record.raw_stream, "limit", 0):  # the file ends before the record does
        return ImportDocument(name, records.HTML, body, url, reason="broken-warc")
    if not body.strip():
        return None
    charset = rest.lower().partition("charset=")[2].strip(" \"'")
    return ImportDocument(name, records.HTML, body, url, charset if charset.isascii() else "")


def write_warc(
    connection: sqlite3.Connection, site: CrawlScope, to: Path, tell: Callable[[int, int], None]
) -> int:
    """Write the raw store as WARC responses, gzip if the name says so; returns how many.

    The headers are those that we kept: status, type and charset, validators.

    Args:
        tell: called with how many are written, and of how many.
    """
    require_warcio()
    with atomic_path(to) as partial, partial.open("wb") as stream:
        return _write(connection, site, stream, to.name, tell)


def _write(
    connection: sqlite3.Connection,
    site: CrawlScope,
    stream: BinaryIO,
    name: str,
    tell: Callable[[int, int], None],
) -> int:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    writer = WARCWriter(stream, gzip=name.endswith(".gz"))
    writer.write_record(writer.create_warcinfo_record(name, {"software": "kkoracle"}))
    bodies = RawStore(connection)
    (total,) = connection.execute(f"SELECT COUNT(*) {_STORED}").fetchone()
    count = 0
    for row in connection.execute(f"SELECT {_COLUMNS} {_STORED} ORDER BY b.page"):
        at = dt.datetime.fromtimestamp(row["leased_at"], dt.UTC)
        writer.write_record(
            writer.create_warc_record(
                site.absolute(row["url"]),
                "response",
                payload=io.BytesIO(bodies.unpack(row["body"])),
                http_headers=StatusAndHeaders("200 OK", _headers(row), protocol="HTTP/1.1"),
                warc_headers_dict={"WARC-Date": at.strftime("%Y-%m-%dT%H:%M:%SZ")},
            )
        )
        count += 1
        tell(count, total)
    return count


def _headers(row: sqlite3.Row) -> list[tuple[str, str]]:
    charset = f"; charset={row['charset']}" if row["charset"] else ""
    told = [
        ("Content-Type", f"text/html{charset}"),
        ("ETag", row["etag"]),
        ("Last-Modified", row["last_modified"]),
    ]
    return [(name, value) for name, value in told if value]
