"""Files that others made, to rows as they stand there; what a row means, its reader tells.

JSON of many layouts, JSONL, CSV, spreadsheets, Parquet and Arrow, or a folder of them as the
Hugging Face Hub has it. Each row comes with its place, and with the part of the set that a key, a
sheet, a file's name in a folder or a folder says it belongs to.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exchange.errors import BadFile, MissingExtra, NotFound, TooLarge
from exchange.machine import install_command
from trainer.dataset.json_layout import JsonLayout, part_of
from trainer.dataset.readers import MAX_LINE_BYTES, arrow_records, find_columns, numbered_lines

_LARGEST_JSON = 1 << 30  # bytes; it has to be read whole, JSONL does not
_DELIMITERS = ",;\t|"
_NUMBERED = re.compile(r"(.*[^\d\s])\s*[.#]?\s*(\d{1,3})")  # "Response 2", "answer_2"
_TITLE_ROWS = 10  # above a table's row of headings
_CODE_PAGES = ("cp1253", "cp1252", "cp1250", "cp1251", "cp1254")  # of Windows
_SHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_TABLES = (".csv", ".tsv")
_ARROW = (".parquet", ".arrow")
_KINDS = (".json", ".jsonl", *_TABLES, *_SHEETS, *_ARROW)
_BESIDE = (  # no rows: what `datasets` writes, and what stands beside a dataset of ours
    *("dataset_info", "dataset_dict", "dataset_infos", "state"),
    *("manifest", "leakage", "chunks"),
)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row before anybody looked at it."""

    where: str  # file and row
    content: bytes | Mapping[str, Any]
    part: str = ""  # train, valid or test, where the file says it
    file: str = ""


class RecordReader:
    """Reads files whose headings are known, or were said.

    Args:
        columns: our field -> its heading, before any name that we know.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._given = tuple(columns.items())

    def _fields(self, headings: Iterable[Any]) -> Mapping[str, tuple[str, ...]]:
        return find_columns(tuple(map(str, headings)), self._given).fields

    def read(self, path: Path, part: str = "") -> Iterator[RawRow]:
        """Every row of a file, or of the files of a folder.

        Args:
            part: that of all its rows, whatever the file says.

        Raises:
            UserError: it cannot be read, or is of no known kind.
        """
        folder = path.is_dir()
        files = _files_of(path) if folder else [path]
        for file in files:
            name = file.relative_to(path).as_posix() if folder else file.name
            # Who names a file means all of it, whatever it is called; a folder's files are parts.
            steps = reversed(name.split("/")) if folder else ()
            own = part or next((said for step in steps if (said := part_of(step))), "")
            for row in self._rows(file, name):
                yield replace(row, part=own or row.part, file=name)

    def _rows(self, path: Path, name: str) -> Iterator[RawRow]:
        kind = path.suffix.lower()
        if not path.exists():
            raise NotFound(f"{path} does not exist")
        if kind == ".jsonl":
            return (RawRow(where, line) for where, line in numbered_lines(path))
        if kind == ".json":
            return self._json(path, name)
        if kind in _TABLES:
            return self._csv(path, name)
        if kind in _SHEETS:
            return self._workbook(path, name)
        if kind in _ARROW:
            records = enumerate(arrow_records(path), 1)
            return (RawRow(f"{name}:{number}", record) for number, record in records)
        raise BadFile(f"{path.name}: known are {', '.join(_KINDS)}")

    def _json(self, path: Path, name: str) -> Iterator[RawRow]:
        try:
            if path.stat().st_size > _LARGEST_JSON:
                raise TooLarge(f"{path.name} is larger than 1 GB: write it as JSONL, a line a row")
            loaded = json.loads(path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
        except json.JSONDecodeError as error:
            if error.msg == "Extra data":  # lines of JSON under the wrong name
                yield from (RawRow(where, line) for where, line in numbered_lines(path))
                return
            raise BadFile(f"{path.name}:{error.lineno} is not JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise BadFile(f"{path.name} is not JSON in UTF-8") from None
        if not isinstance(loaded, dict | list):
            raise BadFile(f"{path.name} holds no list of rows")
        for number, (part, record) in enumerate(JsonLayout(self._fields).rows(loaded), 1):
            yield RawRow(f"{name}[{number}]", record, part)

    def _csv(self, path: Path, name: str) -> Iterator[RawRow]:
        """Rows under a line of headings, separated by commas, semicolons, tabs or bars."""
        try:
            text = self._decoded(path.read_bytes(), path.name)
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
        if text[:4].lower() == "sep=":  # what Excel writes for itself
            text = text.partition("\n")[2]
        head = text[:MAX_LINE_BYTES].splitlines()[:_TITLE_ROWS]
        delimiter = max(_DELIMITERS, key=lambda mark: self._fit(head, mark))
        csv.field_size_limit(MAX_LINE_BYTES)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

        def rows() -> Iterator[tuple[str, list[Any]]]:
            while True:
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    raise BadFile(f"{path.name}:{reader.line_num}: {error}") from None
                if row is None:
                    return
                yield f"{name}:{reader.line_num}", row

        yield from self._table(rows())

    def _decoded(self, content: bytes, name: str) -> str:
        """The text of a table: UTF-8, or as Excel saves it; in a code page of Windows only where
        the headings are words in that one alone.
        """
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            return content.decode("utf-16" if wide else "utf-8-sig")
        except UnicodeDecodeError:
            pass
        head = b"\n".join(content.splitlines()[:_TITLE_ROWS])
        fits = {
            codec: max(
                self._fit(head.decode(codec, "replace").splitlines(), mark)[0]
                for mark in _DELIMITERS
            )
            for codec in _CODE_PAGES
        }
        best, second = sorted(fits.values(), reverse=True)[:2]
        if best > second:
            return content.decode(next(c for c in fits if fits[c] == best), "replace")
        raise BadFile(f"{name} is not UTF-8: save it as CSV UTF-8, or give the spreadsheet itself")

    def _fit(self, head: Sequence[str], delimiter: str) -> tuple[int, int]:
        """How many of our fields the first lines name with this delimiter, and its count."""
        rows = list(csv.reader(head, delimiter=delimiter))
        named = (len(self._fields(row)) for row in rows)
        return max(named, default=0), head[0].count(delimiter) if head else 0

    def _workbook(self, path: Path, name: str) -> Iterator[RawRow]:
        """The rows of every sheet; one that is called as a part is that part."""
        try:
            from python_calamine import CalamineError, load_workbook
        except ImportError:
            raise MissingExtra(
                f"{path.name} needs python-calamine: {install_command('xlsx')}"
            ) from None
        try:
            book = load_workbook(str(path))
            sheets = [
                (title, book.get_sheet_by_name(title).to_python()) for title in book.sheet_names
            ]
        except (CalamineError, OSError, ValueError) as error:
            raise BadFile(f"{path.name} is no spreadsheet that can be read ({error})") from None
        for title, held in sheets:
            prefix = f"{name}#{title}" if len(sheets) > 1 else name
            rows = ((f"{prefix}:{number}", row) for number, row in enumerate(held, 1))
            yield from (replace(row, part=part_of(title)) for row in self._table(rows))

    def _table(self, rows: Iterable[tuple[str, list[Any]]]) -> Iterator[RawRow]:
        """Records under the row of headings, which may stand under a title."""
        waiting: list[tuple[str, list[Any]]] = []
        names: list[str] = []
        for where, row in rows:
            if not any(cell not in ("", None) for cell in row):
                continue
            if names:
                yield from self._row_records(where, names, row)
                continue
            waiting.append((where, row))
            if len(self._fields(row)) > 1 or len(waiting) == _TITLE_ROWS:
                names = self._headings(waiting)
                yield from self._below(waiting, names)
        if not names and waiting:
            yield from self._below(waiting, self._headings(waiting))

    def _below(self, rows: Sequence[tuple[str, list[Any]]], names: list[str]) -> Iterator[RawRow]:
        heads = [[str(cell).strip() for cell in row] for _, row in rows]
        for where, row in rows[heads.index(names) + 1 :]:
            yield from self._row_records(where, names, row)

    def _row_records(self, where: str, names: list[str], row: list[Any]) -> Iterator[RawRow]:
        """A row, or of a student's row with several answers ("Response 2") one for each.

        What has no number belongs to all of them, but for a score, which is then of all together.
        """
        record = _record(names, row)
        numbered: dict[str, dict[str, str]] = {}  # number -> the field's name -> heading
        for name in record:
            told = _NUMBERED.fullmatch(name or "")
            if told and self._fields((told[1],)):
                numbered.setdefault(told[2], {})[told[1]] = name
        several = [held for held in numbered.values() if "answer" in self._fields(held)]
        if len(several) < 2:
            yield RawRow(where, record)
            return
        taken = {heading for held in numbered.values() for heading in held.values()}
        shared = {
            name: cell
            for name, cell in record.items()
            if name not in taken and not (name and "score" in self._fields((name,)))
        }
        for held in several:
            yield RawRow(where, shared | {name: record[of] for name, of in held.items()})

    def _headings(self, rows: Sequence[tuple[str, list[Any]]]) -> list[str]:
        """The row that names most of our fields; the first one of equals."""
        best = max(rows, key=lambda row: len(self._fields(row[1])))
        return [str(cell).strip() for cell in best[1]]


def _files_of(folder: Path) -> list[Path]:
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in _KINDS
        and file.stem not in _BESIDE
        and not any(step.startswith(".") for step in file.relative_to(folder).parts)
    )
    if not files:
        raise BadFile(f"{folder} holds no file of a known kind: {', '.join(_KINDS)}")
    return files


def _record(names: list[str], row: list[Any]) -> dict[Any, Any]:
    """Headings to cells; what stands behind the last heading goes under None."""
    found: dict[Any, Any] = {}
    for name, cell in zip(names, row, strict=False):
        if name and found.get(name) in (None, ""):
            found[name] = cell
    if any(cell not in ("", None) for cell in row[len(names) :]):
        found[None] = row[len(names) :]
    return found
