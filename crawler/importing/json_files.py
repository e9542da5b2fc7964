"""Files of records: JSON lines and JSON. Each record is one document.

Lines are read one at a time, so that a file may be larger than the memory. A broken one is an item
with a reason, and the next one is read.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from crawler import records
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.extract.text_parts import FIELDS, text_of, url_of
from crawler.fetch.client import MAX_BODY
from exchange.errors import UsageError
from exchange.text.charset_labels import ANNOUNCED

MAX_JSON = 64 * 1024 * 1024  # bytes; a JSON file is read at once; JSON lines have no such limit


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read, beside what they say themselves.

    Args:
        fields: our name of a field to the one that it has in the files.
        charset, language: the profile's, for tables that are not in UTF-8.
        folder: what is imported, if it is a folder: an ALTO page that a METS file in it names is
            read with that.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    charset: str = ANNOUNCED
    language: str = ""
    folder: Path | None = None


def field_names(told: Sequence[str]) -> dict[str, str]:
    """What `--field text=COLUMN` means.

    Raises:
        UsageError: it is not of that form, or no field of ours.
    """
    found: dict[str, str] = {}
    for each in told:
        ours, equals, theirs = each.partition("=")
        if ours not in FIELDS or not equals or not theirs:
            known = ", ".join(FIELDS)
            raise UsageError(f"--field {each!r}: write NAME=COLUMN; the names are {known}")
        found[ours] = theirs
    return found


def read_json_lines(
    stream: BinaryIO, name: str, tell: BytesReadCallback, options: ImportOptions
) -> Documents:
    """One record a line; a line that is too long or no object is an item with a reason."""
    number = 0
    while line := stream.readline(MAX_BODY + 1):
        number += 1
        tell(len(line))
        if len(line) > MAX_BODY:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_BODY)
                tell(len(line))
            yield failed_document(f"{name}#{number}", "too-big")
        elif line := line.removeprefix(codecs.BOM_UTF8).strip():
            yield _parsed(line, f"{name}#{number}", options)


def read_json(
    stream: BinaryIO, name: str, tell: BytesReadCallback, options: ImportOptions
) -> Documents:
    """One object, a list of them, or an object around such a list; also lines of objects."""
    body = stream.read(MAX_BODY)
    if _is_lines(body):
        rest = cast("BinaryIO", _Again(body, stream))
        yield from read_json_lines(rest, name, tell, options)
        return
    body += stream.read(MAX_JSON + 1 - len(body))
    tell(len(body))
    if len(body) > MAX_JSON:
        yield failed_document(name, "too-big")
        return
    try:
        found = _loads(body)
    except ValueError:
        yield ImportDocument(name, records.JSON, body[:MAX_BODY], reason="broken-json")
        return
    several = _several(found)
    if several is None:
        yield record_document(found, name, options, body)
        return
    for number, each in enumerate(several, 1):
        yield record_document(each, f"{name}#{number}", options)


class _Again:
    """What was read of a stream, and then the rest of it, line by line."""

    def __init__(self, begun: bytes, rest: BinaryIO) -> None:
        self._begun = io.BytesIO(begun)
        self._rest = rest

    def readline(self, size: int) -> bytes:
        line = self._begun.readline(size)
        return line if line.endswith(b"\n") else line + self._rest.readline(size)


def _is_lines(body: bytes) -> bool:
    """Is the first line an object of its own, with another behind it?"""
    first, _, rest = body.lstrip(codecs.BOM_UTF8 + b" \r\n\t").partition(b"\n")
    if not first.startswith(b"{") or not rest.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(_loads(first), dict)
    except ValueError:
        return False


def _loads(body: bytes) -> Any:
    """JSON, also as Python writes it: with NaN in it, in UTF-16 or behind a byte order mark."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body)
        except RecursionError:
            raise ValueError("nested too deep") from None


def _several(found: Any, depth: int = 0) -> list[Any] | None:
    """The records of a file; None when it is one itself."""
    if isinstance(found, list):
        return found
    if not isinstance(found, dict) or text_of(found) or depth > 3:
        return None
    lists = [each for each in found.values() if isinstance(each, list)]
    lists = [each for each in lists if any(isinstance(item, dict) for item in each)]
    if lists:
        return max(lists, key=len)
    inner = [each for each in found.values() if isinstance(each, dict)]
    if len(inner) > 1 and all(map(text_of, inner)):
        return inner
    return next((got for each in inner if (got := _several(each, depth + 1)) is not None), None)


def _parsed(line: bytes, name: str, options: ImportOptions) -> ImportDocument:
    try:
        return record_document(_loads(line), name, options, line)
    except ValueError:
        return ImportDocument(name, records.JSON, line, reason="broken-json")


def record_document(
    found: Any, name: str, options: ImportOptions, body: bytes | None = None
) -> ImportDocument:
    """A record as it came, but for the names that the operator gave its fields."""
    if not isinstance(found, dict):
        return ImportDocument(name, records.JSON, body or _dumps(found), reason="no-record")
    named = {ours: found[name] for ours, name in options.fields.items() if found.get(name)}
    if named:
        found = {**named, **{key: found[key] for key in found if key not in named}}
    stored = body if body is not None and not named and _is_plain(body) else _dumps(found)
    if len(stored) > MAX_BODY:
        return failed_document(name, "too-big")
    return ImportDocument(name, records.JSON, stored, url_of(found))


def _is_plain(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _dumps(found: Any) -> bytes:
    return orjson.dumps(found, default=str, option=orjson.OPT_NON_STR_KEYS)


def failed_document(name: str, reason: str, detail: str = "") -> ImportDocument:
    return ImportDocument(name, records.JSON, name.encode(), reason=reason, detail=detail)
