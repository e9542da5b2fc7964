"""Tables: CSV and spreadsheets. Each row under the row of names is one document.

A CSV is read row by row, so that it may be larger than the memory. A broken row is an item with a
reason, and the next one is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from crawler.extract.charset import codec_by_bytes
from crawler.extract.documents import BytesReadCallback, Documents, ImportDocument
from crawler.extract.text_parts import FIELDS
from crawler.fetch.client import MAX_BODY
from crawler.importing import ZIP_ERRORS
from crawler.importing.json_files import ImportOptions, failed_document, record_document
from exchange.errors import UsageError
from exchange.machine import install_command
from exchange.text.charset_labels import ANNOUNCED, GREEK
from exchange.text.fold import plain_name

MAX_SHEETS = 512 * 1024 * 1024  # bytes, unpacked; spreadsheets are read at once
_SAMPLE = 256 * 1024  # bytes of a table by which its charset is judged
_TITLE_ROWS = 10  # above a table's row of names
_DELIMITERS = ",;\t|"
_SHOWN = 12  # names of columns in a message


def read_csv(
    stream: BinaryIO, name: str, tell: BytesReadCallback, options: ImportOptions
) -> Documents:
    """One document a row; the first row names the columns, the delimiter is found by it."""
    sample = stream.read(_SAMPLE)
    opened = io.BufferedReader(_Joined(sample, stream, tell))
    text = io.TextIOWrapper(opened, _codec(sample, options), errors="replace", newline="")
    first = text.readline(MAX_BODY)
    if first.lower().startswith("sep="):  # what Excel writes for itself
        first = text.readline(MAX_BODY)
    delimiter = max(_DELIMITERS, key=lambda mark: _score(first, mark, options))
    lines = iter(lambda: text.readline(MAX_BODY), "")
    yield from _table(_rows([first], lines, delimiter), name, options)


class _Joined(io.RawIOBase):
    """A sample and the stream behind it as one, telling what was read."""

    def __init__(self, sample: bytes, rest: BinaryIO, tell: BytesReadCallback) -> None:
        self._sample = io.BytesIO(sample)
        self._rest = rest
        self._tell = tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._sample.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        self._tell(len(piece))
        return len(piece)


def _codec(sample: bytes, options: ImportOptions) -> str:
    """UTF-8 if it decodes; else the profile's or its language's, as tables announce nothing."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        greek = options.charset == ANNOUNCED and options.language == "el"
        return codec_by_bytes(sample, GREEK if greek else options.charset)
    return "utf-8-sig"


def _score(line: str, delimiter: str, options: ImportOptions) -> tuple[int, int]:
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return sum(_our_name(cell, options) != "" for cell in cells), len(cells)


def _rows(begun: list[str], rest: Iterator[str], delimiter: str) -> Iterator[list[str] | None]:
    """The rows of a table; None for a broken one.

    A quote that is never closed makes one row of many: where a row is none, only its first line is
    given up, and those behind it are read again.
    """
    csv.field_size_limit(MAX_BODY)
    waiting = deque(begun)
    width = 0
    while True:
        taken: list[str] = []
        try:
            row = next(csv.reader(_lines(waiting, rest, taken), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error:
            row = None
        if row is None or (width and (len(row) > width or (len(row) < width and taken[1:]))):
            waiting.extendleft(reversed(taken[1:]))
            row = next(csv.reader(taken[:1], delimiter=delimiter), [])
            if len(row) != width:  # with a quote in it that is none, it may still be a row
                yield None
                continue
        width = width or (len(row) if len(row) > 1 else 0)
        yield row


def _lines(waiting: deque[str], rest: Iterator[str], taken: list[str]) -> Iterator[str]:
    size = 0
    while (line := waiting.popleft() if waiting else next(rest, "")) != "":
        taken.append(line)
        size += len(line)
        if size > MAX_BODY:
            raise csv.Error("a row without end")
        yield line


def read_workbook(
    path: Path, name: str, tell: BytesReadCallback, options: ImportOptions
) -> Documents:
    """One document a row of each sheet that has a column of texts."""
    try:
        from python_calamine import CalamineError, load_workbook
    except ImportError:
        raise UsageError(f"spreadsheets need python-calamine: {install_command('xlsx')}") from None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                if sum(part.file_size for part in parts.infolist()) > MAX_SHEETS:
                    yield failed_document(name, "too-big")
                    return
        book = load_workbook(str(path))
        sheets = [(title, book.get_sheet_by_name(title)) for title in book.sheet_names]
    except (CalamineError, *ZIP_ERRORS, OSError, ValueError):
        yield failed_document(name, "broken-sheet")
        return
    tell(path.stat().st_size)
    none: ImportDocument | None = None
    found = False
    for title, sheet in sheets:
        part = f"{name}#{title}" if len(sheets) > 1 else name
        for item in _table(sheet.iter_rows(), part, options):
            if item.reason == "no-text-column":
                none = none or item
                continue
            found = True
            yield item
    if none is not None and not found:
        yield none


def _table(rows: Iterable[Sequence[Any] | None], name: str, options: ImportOptions) -> Documents:
    """The rows under the row of names, as records."""
    names: list[str] | None = None
    above: list[str] = []
    for number, row in enumerate(rows, 1):
        if row is None:
            yield failed_document(f"{name}#{number}", "broken-row")
        elif names is not None:
            found = _row_record(names, row)
            if found:
                yield record_document(found, f"{name}#{number}", options)
        elif number > _TITLE_ROWS:
            break
        else:
            cells = [str(cell).strip() for cell in row]
            if any(_our_name(cell, options) == "text" for cell in cells):
                names = cells
            above = above or [cell for cell in cells if cell]
    if names is None:
        yield _no_text_column(name, above, options)


def _row_record(names: list[str], row: Sequence[Any]) -> dict[str, Any]:
    """Names to values; of two columns of one name the first that holds something."""
    found: dict[str, Any] = {}
    for column, cell in zip(names, row, strict=False):
        value = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        if column and value not in ("", None):
            found.setdefault(column, value)
    return found


def _our_name(column: str, options: ImportOptions) -> str:
    """Which of our fields a column is, "" for none of them."""
    if "text" in options.fields:
        return next((ours for ours, name in options.fields.items() if name == column), "")
    plain = plain_name(column)
    return next((ours for ours, names in FIELDS.items() if plain in names), "")


def _no_text_column(name: str, columns: list[str], options: ImportOptions) -> ImportDocument:
    shown = ", ".join(repr(column[:40]) for column in columns[:_SHOWN]) or "none"
    first = columns[0][:40] if columns else "COLUMN"
    asked = repr(options.fields["text"]) if "text" in options.fields else "text, body or content"
    return failed_document(
        name,
        "no-text-column",
        f"{name}: no column is called {asked}; its columns are {shown}: name the one that holds "
        f"the text, as in --field 'text={first}'",
    )
