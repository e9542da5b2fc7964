"""Web archive files: the pages of an earlier crawl come in (WARC, ARC, WACZ), ours go out as WARC.

They need the `warc` extra (warcio, brotli). One damaged record never ends a file: the next one is
looked for behind it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from crawler import records
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.fetch.client import MAX_BODY
from crawler.fetch.response import HTML, looks_like_page
from crawler.frontier.raw_store import RawStore
from crawler.importing import ZIP_ERRORS
from crawler.inflate import GZIP, CorruptBodyError, unpack
from crawler.records import Capture, original_address
from crawler.scope import CrawlScope
from exchange.errors import UsageError
from exchange.files import atomic_path
from exchange.machine import install_command

_COLUMNS = "p.url, p.charset, p.etag, p.last_modified, p.leased_at, b.body"
# Files that were imported are no responses of the site.
_STORED = "FROM bodies b JOIN pages p ON p.id=b.page WHERE p.kind NOT LIKE '@%'"
# Where a record may begin: a WARC's version line, or a gzip member of its own.
_VERSION_LINE = rb"WARC/[01]\.\d+\r?\n(?=WARC-|Content-)"
_BEGINNING = re.compile(_VERSION_LINE + rb"|\x1f\x8b\x08[\x00-\x1f]")
_NEXT = re.compile(_VERSION_LINE)  # in a body: less of it was written than its length says
_FIRST_LINE = re.compile(
    rb"WARC/[01]\.\d+\s*$|\S+ \S+ \d{12,14} .*\d\s*$"
)  # of WARC or ARC records
_STEP = 1 << 20  # bytes looked through at once for the next record
_UNTYPED = ("", "application/octet-stream", "unknown", "no-type")


def require_warcio() -> Any:
    """The module, or one line that says how to get it."""
    try:
        import warcio
    except ImportError:
        raise UsageError(f"WARC files need warcio: {install_command('warc')}") from None
    return warcio


def read_warc(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """The HTML pages of a WARC or ARC, in order; what is damaged is an item with a reason."""
    require_warcio()
    with path.open("rb") as stream:
        yield from _pages(stream, name, tell)


def read_wacz(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """The HTML pages of the WARC files in a WACZ (a ZIP with `archive/*.warc.gz`)."""
    require_warcio()
    try:
        with zipfile.ZipFile(path) as parts:
            for part in sorted(parts.namelist()):
                if part.lower().endswith((".warc", ".warc.gz")):
                    with parts.open(part) as stream:
                        yield from _pages(stream, f"{name}/{part}", tell)
    except ZIP_ERRORS:
        yield ImportDocument(name, records.HTML, name.encode(), reason="broken-wacz")


def _pages(stream: IO[bytes], name: str, tell: BytesReadCallback) -> Documents:
    at = number = 0
    for number, record in enumerate(_records(stream), 1):
        item: ImportDocument | None = _broken(f"{name}#{number}")
        if record is not None:
            try:
                item = _page(record, f"{name}#{number}")
                if item is None and _is_cut(record):  # nobody knows what it was
                    item = _broken(f"{name}#{number}")
            except Exception:  # whatever a strange record raises in warcio is its own matter
                item = _broken(f"{name}#{number}")
        if item is not None:
            yield item
        if stream.tell() > at:
            tell(stream.tell() - at)
            at = stream.tell()
    if not number:
        yield _broken(name)


def _broken(name: str) -> ImportDocument:
    return ImportDocument(name, records.HTML, name.encode(), reason="broken-warc")


def _records(stream: IO[bytes]) -> Iterator[Any | None]:
    """The records of a file; None for each stretch that cannot be read as one.

    warcio wants each record in a gzip member of its own; a file that was packed as a whole is
    unpacked first.
    """
    from warcio.archiveiterator import ArchiveIterator

    class Reader(ArchiveIterator):
        is_cut = False  # it ended inside a gzip member or behind one, not with one

        def close(self) -> None:
            member = self.reader.decompressor if self.reader else None
            self.is_cut = not member.eof if member else packed
            super().close()

        def ends_whole(self) -> bool:
            """Does the gzip member of the record end, and with its checksum? A cut one can go on
            as bytes of the next that unpack to as many as the record should have."""
            with contextlib.redirect_stderr(io.StringIO()):
                self.read_to_end()
            member = self.reader.decompressor
            return not member or member.eof or bool(_FIRST_LINE.match(self.next_line or b""))

    start: int | None = 0
    given = skip = 0
    damaged = False
    while start is not None:
        stream.seek(start)
        packed = not isinstance(stream, gzip.GzipFile) and stream.read(len(GZIP)) == GZIP
        stream.seek(start)
        reader = Reader(stream, arc2warc=True)
        cut = whole = False
        while not cut:
            try:
                with contextlib.redirect_stderr(io.StringIO()):  # it warns there by itself
                    record = next(reader, None)
            except Exception as error:
                whole = "non-chunked" in str(error)
                break
            if record is None:
                if not reader.is_cut:
                    return
                break
            damaged = False
            given += 1
            start = max(start, reader.offset)
            record.ends_whole = reader.ends_whole
            if given > skip:
                yield record
            cut = _is_cut(record)  # what follows it may be whole
        if whole and not isinstance(stream, gzip.GzipFile):
            stream.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
            start, skip, given = 0, given, 0
            continue
        if not cut and not damaged:
            yield None
        damaged = True
        start = _next_beginning(stream, start + 1)


def _is_cut(record: Any) -> bool:
    """Does the file, what can be unpacked of it, or the next record begin before this one ends?"""
    while record.raw_stream.read(_STEP):
        pass
    short = bool(getattr(record.raw_stream, "limit", 0)) or hasattr(record, "runs_over")
    return short or not record.ends_whole()


def _next_beginning(stream: IO[bytes], at: int) -> int | None:
    """Where the next record may begin, at `at` or behind it."""
    try:
        while True:
            stream.seek(at)
            piece = stream.read(_STEP)
            if found := _BEGINNING.search(piece):
                return at + found.start()
            if len(piece) < _STEP:
                return None
            at += len(piece) - 32  # one that lies across two pieces
    except (OSError, EOFError, zlib.error):  # a file that was packed as a whole ends with it
        return None


def _page(record: Any, name: str) -> ImportDocument | None:
    """A response with status 200, or a resource, that is HTML; everything else is passed over."""
    headers = record.http_headers
    if record.rec_type == "response":
        if headers is None or headers.get_statuscode() not in ("200", "203"):
            return None
        told, encoding = headers.get_header("Content-Type"), headers.get_header("Content-Encoding")
    elif record.rec_type == "resource":
        told, encoding = record.rec_headers.get_header("Content-Type"), ""
    else:
        return None
    kind, _, rest = str(told or "").partition(";")
    kind = kind.partition(",")[0].strip().lower()
    if kind not in HTML and kind not in _UNTYPED:
        return None
    url = str(record.rec_headers.get_header("WARC-Target-URI") or "").strip("<>")
    url = original_address(url)  # of those who crawled a web archive
    body = _payload(record).read(MAX_BODY + 1)
    if _NEXT.search(body):
        record.runs_over = True
    if len(body) <= MAX_BODY and _is_cut(record):
        return ImportDocument(name, records.HTML, body, url, reason="broken-warc")
    try:
        body = unpack(body, str(encoding or ""), MAX_BODY + 1)
    except CorruptBodyError:
        if not looks_like_page(body):  # else it was unpacked by whoever wrote the file
            return ImportDocument(name, records.HTML, body, url, reason="encoding")
    if kind not in HTML and not looks_like_page(body):
        return None
    if len(body) > MAX_BODY:
        return ImportDocument(name, records.HTML, url.encode(), url, reason="too-big")
    if not body.strip():
        return None
    charset = rest.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    return ImportDocument(name, records.HTML, body, url, charset if charset.isascii() else "")


def _payload(record: Any) -> Any:
    """The body as it was sent: chunks joined, its coding left to us, as warcio knows few."""
    from warcio.bufferedreaders import ChunkedDataReader

    headers = record.http_headers
    sent = str(headers.get_header("Transfer-Encoding") or "") if headers else ""
    return ChunkedDataReader(record.raw_stream) if "chunked" in sent.lower() else record.raw_stream


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
        capture = Capture.of(row["url"])  # it goes out as what it was, and of that day
        at = capture.moment if capture else dt.datetime.fromtimestamp(row["leased_at"], dt.UTC)
        writer.write_record(
            writer.create_warc_record(
                capture.original if capture else site.absolute(row["url"]),
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
