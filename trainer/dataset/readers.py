"""Rows from files that others made: JSONL, or a folder of the Hugging Face kind.

Each line is read on its own and a bad one costs only itself: it is counted with its line number
and a reason code. Shapes known: `messages`, ShareGPT's `conversations`, `prompt`/`completion`,
`instruction`/`output` (with `input`), `question`/`answer`, and our own rows, which come back whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadFile, MissingExtra, NotFound
from exchange.records import digest
from exchange.text import dates
from trainer.dataset.rows import DatasetRow, StoryOrigin
from trainer.dataset.source import REPORT_EVERY, DatasetSource, Progress, unusable_reason

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
        raise MissingExtra(
            f"{path.name} needs pyarrow: run `pip install 'kkoracle[parquet]'`"
        ) from None
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
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}


class BadLine(ValueError):
    """A line that is no row; the message is its reason code."""


def read_rows(path: Path, system: str, progress: Progress) -> DatasetSource:
    """Rows of a JSONL file, or of a folder of JSONL, Parquet or Arrow files.

    Raises:
        UserError: nothing there that can be read.
    """
    source = DatasetSource()
    sha = sha256()
    known: set[str] = set()
    total = 0
    for number, (where, raw) in enumerate(_records(path), 1):
        total = number
        if number % REPORT_EVERY == 0:
            progress(number, 0)
        try:
            row = parse_row(raw, system)
            if row.id in known:
                raise BadLine("duplicate_id")
        except BadLine as bad:
            source.left_out[str(bad)] += 1
            source.bad.append((where, str(bad)))
            continue
        known.add(row.id)
        sha.update(row.to_line())
        source.rows.append(row)
        if row.story:
            source.stories[row.story] = (row.cluster, row.origin.published)
    source.rows.sort(key=lambda row: row.id)
    source.described = {
        "sha256": sha.hexdigest(),
        "file": path.name,
        "lines": total,
        "accepted": len(source.rows),
        "rejected": {},
    }
    return source


def parse_row(raw: bytes | Mapping[str, Any], system: str = "") -> DatasetRow:
    """One line, or one record of a table, as a row.

    Raises:
        BadLine: with the reason code: `too_long`, `not_json`, `surrogate`, `not_object`,
            `unknown_shape`, `several_turns`, `empty_question`, `empty_answer`, `nul`.
    """
    fields = decode_line(raw) if isinstance(raw, bytes) else raw
    if isinstance(fields.get("made"), Mapping) and "cluster" in fields:
        try:
            row = DatasetRow.from_line(orjson.dumps(dict(fields)))
        except (KeyError, ValueError, TypeError, IndexError):
            raise BadLine("unknown_shape") from None
    else:
        question, answer, told = _question_and_answer(fields)
        name = _text(fields, "id") or digest(question, answer)
        story = _text(fields, "story", "source", "url")
        printed = _text(fields, "published", "date")
        row = DatasetRow(
            id=name,
            question=question.strip(),
            answer=answer.strip(),
            kind=_text(fields, "kind", "category") or "fact",
            story=story,
            cluster=_text(fields, "cluster") or story or name,
            system=told or system,
            rephrase_of=_text(fields, "rephrase_of"),
            origin=StoryOrigin(
                url=_text(fields, "url"),
                published=dates.parse_date(printed) or printed,  # compared with the cut-off
                section=_text(fields, "section"),
                title=_text(fields, "title"),
            ),
        )
    reason = unusable_reason(row)
    if reason:
        raise BadLine(reason)
    return row


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


def _question_and_answer(fields: Mapping[str, Any]) -> tuple[str, str, str]:
    """Question, answer and system text of any shape known."""
    turns = fields.get("messages") or fields.get("conversations")
    if isinstance(turns, Iterable) and not isinstance(turns, str | bytes):
        return _conversation(list(turns))
    for asked, said in (
        ("question", "answer"),
        ("prompt", "completion"),
        ("instruction", "output"),
    ):
        if isinstance(fields.get(asked), str) and isinstance(fields.get(said), str):
            extra = _text(fields, "input") if asked == "instruction" else ""
            question = fields[asked] + (f"\n\n{extra}" if extra else "")
            return question, fields[said], _text(fields, "system")
    raise BadLine("unknown_shape")


def _conversation(turns: list[Any]) -> tuple[str, str, str]:
    said: list[tuple[str, str]] = []
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise BadLine("unknown_shape")
        role = _ROLES.get(str(turn.get("role", turn.get("from", ""))))
        text = turn.get("content", turn.get("value"))
        if role is None or not isinstance(text, str):
            raise BadLine("unknown_shape")
        said.append((role, text))
    told = said.pop(0)[1] if said and said[0][0] == "system" else ""
    if [role for role, _text in said] != ["user", "assistant"]:
        raise BadLine("several_turns" if len(said) > 2 else "unknown_shape")
    return said[0][1], said[1][1], told


def _text(fields: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _bad_reason(raw: bytes) -> str:
    """orjson refuses lone surrogates as broken JSON; say which of the two it is."""
    try:
        json.loads(raw, parse_constant=int)  # NaN, which is no JSON, is no int
    except (ValueError, RecursionError):
        return "not_json"
    return "surrogate"


def _records(path: Path) -> Iterator[tuple[str, bytes | Mapping[str, Any]]]:
    """Lines or table records with the place where they stand, over all files of a folder."""
    if path.is_file():
        yield from numbered_lines(path)
        return
    if not path.is_dir():
        raise NotFound(f"{path} does not exist")
    tables = sorted([*path.rglob("*.parquet"), *path.rglob("*.arrow")])
    files = sorted(path.rglob("*.jsonl"))
    if tables:
        for table in tables:
            for number, record in enumerate(arrow_records(table), 1):
                yield f"{table.name}:{number}", record
    elif files:
        for file in files:
            yield from numbered_lines(file)
    else:
        raise BadFile(f"{path} holds neither an export nor .jsonl, .parquet or .arrow files")


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
