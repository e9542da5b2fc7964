"""Files that others made, line by line or table by table, and what their columns are called.

A line is read on its own and a bad one costs only itself. The names of columns stand in
`exchange/text/languages/*.toml`, in every language that has some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadFile, MissingExtra
from exchange.machine import install_command
from exchange.text.fold import plain_name
from exchange.text.language import every

# Records of Parquet and Arrow files, as `datasets` and the Hub keep them (extra `parquet`).

_ARROW_BATCH = 1024  # records


def arrow_records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of one file, a batch at a time; a class is its name, not its number.

    Raises:
        UserError: pyarrow is not installed, or the file is not what its name says.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc as ipc
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra(f"{path.name} needs pyarrow: {install_command('parquet')}") from None
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as table:
                named = _class_names(table.schema_arrow.metadata)
                for batch in table.iter_batches(_ARROW_BATCH):
                    yield from (_with_names(record, named) for record in batch.to_pylist())
        else:
            with pa.memory_map(str(path)) as file:  # `datasets` writes streams
                stream = ipc.open_stream(file)
                named = _class_names(stream.schema.metadata)
                for batch in stream:
                    yield from (_with_names(record, named) for record in batch.to_pylist())
    except (OSError, pa.ArrowInvalid) as error:
        raise BadFile(f"cannot read {path}: {str(error).splitlines()[0]}") from None


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of a column's classes, as `datasets` writes them into a schema."""
    try:
        features = orjson.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: list(kind["names"])
            for name, kind in features.items()
            if isinstance(kind, dict) and kind.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return {}


def _with_names(record: dict[str, Any], named: Mapping[str, list[str]]) -> dict[str, Any]:
    for column, names in named.items():
        number = record.get(column)
        if isinstance(number, int) and 0 <= number < len(names):
            record[column] = names[number]
    return record


MAX_LINE_BYTES = 1 << 20  # bytes of a line; a question with its answer is a thousandth of that


class BadLine(ValueError):
    """A line that is no row; the message is its reason code."""


def decode_line(line: bytes) -> Mapping[str, Any]:
    """The object on one line.

    Raises:
        BadLine: `too_long`, `not_json`, `surrogate`, `not_object`.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadLine("too_long")
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadLine(_bad_reason(line)) from None
    if not isinstance(fields, Mapping):
        raise BadLine("not_object")
    return fields


def _bad_reason(raw: bytes) -> str:
    """orjson refuses lone surrogates as broken JSON; say which of the two it is."""
    try:
        json.loads(raw, parse_constant=int)  # NaN, which is no JSON, is no int
    except (ValueError, RecursionError):
        return "not_json"
    return "surrogate"


def numbered_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Lines of a file that are not blank, with file and number.

    Of a line that is too long only as much is read as tells that.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 2):
                number += 1
                if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                    while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                        pass
                if line.strip():
                    yield f"{path.name}:{number}", line
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None


# What columns and keys are called.

# The order in which they choose: what two could hold goes to the one before ("answer" beside
# "student answer" is the teacher's, "points" beside "score" are those that can be had).
FIELDS = ("question", "answer", "guide", "score", "maximum", "language", "id", "split")
_SEVERAL = {"guide"}  # all columns of theirs are read, not the first alone
NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
_IN_HEADING = re.compile(rf"(.*?)\s*(?:[(\[].*?({NUMBER})\s*[)\]]|/\s*({NUMBER}))\s*")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which headings of a table, or keys of an object, hold which of our fields."""

    fields: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    maximum: float = 0.0  # that a heading tells: "Grade/10", "Score (0-5)"


@lru_cache(maxsize=4096)
def find_columns(headings: tuple[str, ...], given: tuple[tuple[str, str], ...] = ()) -> Columns:
    """The columns of these headings.

    Args:
        given: our field and the heading that holds it, as somebody said.
    """
    found: dict[str, tuple[str, ...]] = {}
    left = list(headings)
    for ours, theirs in given:
        same = [one for one in left if one == theirs] or [
            one for one in left if plain_name(one) == plain_name(theirs)
        ]
        if same:
            found[ours] = (same[0],)
            left.remove(same[0])
    plain = {heading: _plain(heading) for heading in left}
    for ours in FIELDS:
        names = [plain_name(name) for name in every().columns[ours]]
        fits = sorted(
            (one for one in plain if plain[one][0] in names),
            key=lambda one: names.index(plain[one][0]),
        )
        if ours not in found and fits:
            found[ours] = tuple(fits if ours in _SEVERAL else fits[:1])
            for one in found[ours]:
                del plain[one]
    score = found.get("score", ("",))[0]
    return Columns(found, tuple(plain), _plain(score)[1])


def _plain(heading: str) -> tuple[str, float]:
    """A heading's name without a number behind it, and the maximum that it tells."""
    told = _IN_HEADING.fullmatch(heading.strip())
    if told is None:
        return plain_name(heading).rstrip("0123456789") or plain_name(heading), 0.0
    return plain_name(told[1]), float((told[2] or told[3]).replace(",", ".").lstrip("-+"))
