"""What an import brings: one item per story or page, found in files and folders."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from crawler import records
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.fetch.client import MAX_BODY

MAX_PDF = 100 * 1024 * 1024
MAX_JSON = 64 * 1024 * 1024  # a JSON file is read at once; JSONL has no such limit
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SUFFIXES = {
    ".html": records.HTML,
    ".htm": records.HTML,
    ".xhtml": records.HTML,
    ".txt": records.TEXT,
    ".text": records.TEXT,
    ".md": records.MARKDOWN,
    ".markdown": records.MARKDOWN,
    ".pdf": records.PDF,
}


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


def read_documents(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """The items of one file. Nothing is raised for it: what is wrong with it is an item too."""
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            yield ImportDocument(name, "", reason="not-a-file")
        elif (opened := _container(path.name.lower())) is not None:
            yield from opened(path, name, tell)
        else:
            yield _whole(path, name, state.st_size)
            tell(state.st_size)
    except (OSError, EOFError, zlib.error):
        yield ImportDocument(name, "", reason="unreadable")


def _container(name: str) -> Callable[[Path, str, BytesReadCallback], Documents] | None:
    """How to read a file that holds many documents."""
    if name.endswith((".warc", ".warc.gz")):
        from crawler.importing import warc

        return warc.read_warc
    if name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
        return _jsonl
    return _json if name.endswith(".json") else None


def _whole(path: Path, name: str, size: int) -> ImportDocument:
    kind = SUFFIXES.get(path.suffix.lower(), "")
    if not kind:
        return ImportDocument(name, "", reason="unknown-type")
    if size > (MAX_PDF if kind == records.PDF else MAX_BODY):
        return ImportDocument(name, kind, f"{name}\n{size}".encode(), reason="too-big")
    body = path.read_bytes()
    if not body.strip():
        return ImportDocument(name, kind, body, reason="empty")
    if kind != records.PDF and b"\0" in body[:4096] and not body.startswith(UTF_16):
        return ImportDocument(name, kind, body, reason="not-text")
    if kind == records.PDF and b"%PDF-" not in body[:1024]:
        return ImportDocument(name, kind, body, reason="not-pdf")
    return ImportDocument(name, kind, body)


def _jsonl(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """One record a line; a line that is too long or no object is an item with a reason."""
    with path.open("rb") as raw:
        lines = gzip.GzipFile(fileobj=raw) if name.lower().endswith(".gz") else raw
        number = at = 0
        while line := lines.readline(MAX_BODY + 1):
            number += 1
            if len(line) > MAX_BODY:
                while line and not line.endswith(b"\n"):
                    line = lines.readline(MAX_BODY)
                yield ImportDocument(
                    f"{name}#{number}", records.JSON, f"{name}#{number}".encode(), reason="too-big"
                )
            elif line.strip():
                yield _record(line.strip(), f"{name}#{number}")
            tell(raw.tell() - at)
            at = raw.tell()


def _json(path: Path, name: str, tell: BytesReadCallback) -> Documents:
    """One object, or a list of them."""
    size = path.stat().st_size
    if size > MAX_JSON:
        yield ImportDocument(name, records.JSON, f"{name}\n{size}".encode(), reason="too-big")
        return
    body = path.read_bytes()
    tell(size)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        yield ImportDocument(name, records.JSON, body[:MAX_BODY], reason="broken-json")
        return
    if not isinstance(found, list):
        yield _record(body.strip(), name)
        return
    for number, each in enumerate(found, 1):
        yield _record(orjson.dumps(each), f"{name}#{number}")


def _record(body: bytes, name: str) -> ImportDocument:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ImportDocument(name, records.JSON, body, reason="broken-json")
    if not isinstance(found, dict):
        return ImportDocument(name, records.JSON, body, reason="no-record")
    url = found.get("url")
    return ImportDocument(name, records.JSON, body, url if isinstance(url, str) else "")
