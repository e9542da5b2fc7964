"""What an import brings: one item per story or page, found in files and folders.

A file is what its content says where that is plain, else what its name says: pages are saved as
`story.php?id=7` or without any suffix, and gzip is looked into whatever the name.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from crawler import records
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.fetch.client import MAX_BODY
from crawler.importing import ZIP_ERRORS, json_files, mets, tables, warc
from crawler.importing.alto import root_name
from crawler.importing.json_files import ImportOptions
from crawler.inflate import GZIP

BATCH = 128  # documents in one commit,
BATCH_BYTES = 32 * 1024 * 1024  # or as many as this; a PDF may be larger by itself
MAX_PDF = 100 * 1024 * 1024
SUFFIXES = {
    ".html": records.HTML,
    ".htm": records.HTML,
    ".xhtml": records.HTML,
    ".shtml": records.HTML,
    ".txt": records.TEXT,
    ".text": records.TEXT,
    ".md": records.MARKDOWN,
    ".markdown": records.MARKDOWN,
    ".pdf": records.PDF,
}
JSON_LINES, JSON, TABLE, SHEETS = "json-lines", "json", "table", "sheets"
WEB_ARCHIVE, WACZ = "web-archive", "wacz"
ALTO, METS = "alto", "mets"
CONTAINERS = {
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": JSON,
    ".csv": TABLE,
    ".tsv": TABLE,
    ".xlsx": SHEETS,
    ".xlsm": SHEETS,
    ".xlsb": SHEETS,
    ".xls": SHEETS,
    ".ods": SHEETS,
    ".warc": WEB_ARCHIVE,
    ".arc": WEB_ARCHIVE,
    ".wacz": WACZ,
}
IMAGES = frozenset({".tif", ".tiff", ".jp2", ".jpg", ".jpeg", ".png", ".djvu"})
SNIFFED = 4096  # bytes by which a file is told
_MOST_NULS = 0.05  # of those bytes, in a text
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|table|div|h1|p)\b[^>]*>", re.I)
_NUMBER = re.compile(r"\.\d+$")  # no suffix, but a part of the name: "story.17"
_TEXT_BYTES = bytes({*range(32, 127), *range(128, 256), *b"\t\n\r\f"})


def walk_files(root: Path, but: Path | None = None) -> Iterator[tuple[Path, str]]:
    """The files under a path with their names, in order; nothing hidden, and not folder `but`."""
    if not root.is_dir():
        yield root, root.name
        return
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and Path(folder, name).resolve() != but
        )
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder, name)
            yield path, path.relative_to(root).as_posix()


def read_documents(
    path: Path, name: str, tell: BytesReadCallback, options: ImportOptions | None = None
) -> Documents:
    """The items of one file. Nothing is raised for it: what is wrong with it is an item too.

    Raises:
        UsageError: a package that the file needs is missing.
    """
    options = options or ImportOptions()
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            yield ImportDocument(name, "", reason="not-a-file")
            return
        head, packed = _head(path)
        kind = _kind(path, head, packed)
        if kind in (JSON_LINES, JSON, TABLE):
            readers = {
                JSON_LINES: json_files.read_json_lines,
                JSON: json_files.read_json,
                TABLE: tables.read_csv,
            }
            with path.open("rb") as raw:
                stream: BinaryIO = raw
                if packed:
                    stream, tell = cast("BinaryIO", gzip.GzipFile(fileobj=raw)), _packed(raw, tell)
                yield from readers[kind](stream, name, tell, options)
        elif kind == WEB_ARCHIVE:
            yield from warc.read_warc(path, name, tell)
        elif kind == WACZ:
            yield from warc.read_wacz(path, name, tell)
        elif kind in (ALTO, METS):
            read = mets.read_alto if kind == ALTO else mets.read_mets
            yield from read(path, name, tell, options)
        elif kind == SHEETS:
            yield from tables.read_workbook(path, name, tell, options)
        else:
            yield _whole(path, name, kind, state.st_size, packed)
            tell(state.st_size)
    except (OSError, EOFError, zlib.error):
        yield ImportDocument(name, "", reason="unreadable")


def _packed(raw: BinaryIO, tell: BytesReadCallback) -> BytesReadCallback:
    """Tells how far a packed file was read, whatever came out of it."""
    at = 0

    def told(_: int) -> None:
        nonlocal at
        tell(raw.tell() - at)
        at = raw.tell()

    return told


def _head(path: Path) -> tuple[bytes, bool]:
    """The beginning of a file, unpacked, and whether it had to be."""
    with path.open("rb") as stream:
        head = stream.read(SNIFFED)
    if not head.startswith(GZIP):
        return head, False
    try:
        with gzip.open(path) as unpacked:
            return unpacked.read(SNIFFED), True
    except (OSError, EOFError, zlib.error):
        return b"", True


def _kind(path: Path, head: bytes, packed: bool) -> str:
    """What a file is: a kind of page, or one of the containers above; "" when nobody can tell."""
    name = path.name.lower().partition("?")[0]
    if packed:
        name = name.removesuffix(".gz")
    suffix = "" if _NUMBER.search(name) else Path(name).suffix
    told = CONTAINERS.get(suffix) or SUFFIXES.get(suffix, "")
    return _magic(path, head, told) or told or _by_content(head, bare=not suffix)


def _magic(path: Path, head: bytes, told: str) -> str:
    """What the first bytes say that no other file begins with, whatever its name."""
    if head.startswith(b"%PDF-"):
        return records.PDF
    if head.startswith((b"WARC/", b"filedesc://")):
        return WEB_ARCHIVE
    if told != records.HTML and (root := root_name(head)) in (ALTO, METS):
        return root
    if head.startswith(b"PK\x03\x04") and told not in (SHEETS, WACZ):
        try:
            with zipfile.ZipFile(path) as parts:
                names = parts.namelist()
        except ZIP_ERRORS:
            return ""
        if "xl/workbook.xml" in names:
            return SHEETS
        return WACZ if any(name.endswith((".warc", ".warc.gz")) for name in names) else ""
    return ""


def _by_content(head: bytes, *, bare: bool) -> str:
    """The kind of a file whose suffix says nothing.

    Args:
        bare: it has none. A suffix that nobody knows may be a style sheet's or a program's, so
            that only a page counts there.
    """
    if _HTML.search(head) and not head.lstrip().startswith((b"{", b"[")):
        return records.HTML
    if not bare or head.translate(None, _TEXT_BYTES):
        return ""
    start = head.lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if start.startswith(b"{"):
        return JSON_LINES if re.match(rb"\{[^\n]*\}\s*\n\s*\{", start) else JSON
    return JSON if start.startswith(b"[{") or re.match(rb"\[\s+\{", start) else records.TEXT


def _is_binary(head: bytes) -> bool:
    """A stray NUL costs a text that character; a file of many is none."""
    return (
        not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        and head.count(b"\0") > len(head) * _MOST_NULS
    )


def _whole(path: Path, name: str, kind: str, size: int, packed: bool) -> ImportDocument:
    if not kind:
        image = path.suffix.lower() in IMAGES
        return ImportDocument(name, "", reason="image" if image else "unknown-type")
    limit = MAX_PDF if kind == records.PDF else MAX_BODY
    if size > limit:
        return ImportDocument(name, kind, f"{name}\n{size}".encode(), reason="too-big")
    with gzip.open(path) if packed else path.open("rb") as stream:
        body = stream.read(limit + 1)
    if len(body) > limit:
        return ImportDocument(name, kind, f"{name}\n{size}".encode(), reason="too-big")
    if not body.strip():
        return ImportDocument(name, kind, body, reason="empty")
    if kind != records.PDF and _is_binary(body[:SNIFFED]):
        return ImportDocument(name, kind, body, reason="not-text")
    if kind == records.PDF and b"%PDF-" not in body[:1024]:
        return ImportDocument(name, kind, body, reason="not-pdf")
    return ImportDocument(name, kind, body)


class DocumentSource:
    """All items under a path, what we keep ourselves left out; counts the bytes read."""

    def __init__(self, path: Path, ours: Path, options: ImportOptions) -> None:
        self.read = 0
        self._path = path
        self._options = options
        self._ours = ours

    def __iter__(self) -> Iterator[ImportDocument]:
        for found, name in walk_files(self._path, self._ours):
            yield from read_documents(found, name, self._add, self._options)

    def batches(self) -> Iterator[list[ImportDocument]]:
        """The items by as many as are written at once."""
        batch: list[ImportDocument] = []
        size = 0
        for item in self:
            batch.append(item)
            size += len(item.body)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def size(self) -> int:
        """Bytes of all files, for the time left."""
        total = 0
        for found, _ in walk_files(self._path, self._ours):
            with contextlib.suppress(OSError):
                total += found.lstat().st_size
        return total

    def _add(self, count: int) -> None:
        self.read += count
