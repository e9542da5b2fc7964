"""Rows from files that others made: JSONL, JSON, CSV, spreadsheets, Parquet, or a folder of them.

Each line is read on its own and a bad one costs only itself: it is counted with its line number
and a reason code. Shapes known: `messages`, ShareGPT's `conversations`, `prompt`/`completion`,
`instruction`/`output` (with `input`), `question`/`answer` and what columns of questions and answers
are called elsewhere, and our own rows, which come back whole. An id is made where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from exchange.records import digest
from exchange.text import dates
from trainer.dataset.readers import BadLine, decode_line, find_columns
from trainer.dataset.records import RecordReader
from trainer.dataset.rows import DatasetRow, StoryOrigin
from trainer.dataset.source import REPORT_EVERY, DatasetSource, Progress, unusable_reason

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}


def read_rows(path: Path, system: str, progress: Progress) -> DatasetSource:
    """Rows of a file, or of the files of a folder.

    Raises:
        UserError: nothing there that can be read.
    """
    source = DatasetSource()
    sha = sha256()
    known: set[str] = set()
    total = 0
    for number, found in enumerate(RecordReader({}).read(path), 1):
        where, raw = found.where, found.content
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


def nothing_taught(source: DatasetSource, path: Path) -> str:
    """Why a file gave no row at all."""
    if not source.bad:
        return f"{path} holds no rows"
    where, reason = source.bad[0]
    more = f", and {len(source.bad) - 1} more" if len(source.bad) > 1 else ""
    return (
        f"no line of {path.name} can be taught: {where} {reason}{more}; a row holds a question and "
        "an answer, in columns or keys of that name"
    )


def parse_row(raw: bytes | Mapping[str, Any], system: str = "") -> DatasetRow:
    """One line, or one record of a table, as a row.

    Raises:
        BadLine: with the reason code: `too_long`, `not_json`, `surrogate`, `not_object`,
            `unknown_shape`, `several_turns`, `empty_question`, `empty_answer`, `nul`,
            `extra_columns`.
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
    if None in fields:  # what stands behind the last heading of a table
        raise BadLine("extra_columns")
    named = find_columns(tuple(map(str, fields))).fields
    question, answer = (
        next((text for name in names if (text := _cell(fields[name]))), "")
        for names in (
            named.get("question", ()),
            # A reference answer stands under its own name where answers of students are beside it.
            (*named.get("answer", ()), *named.get("guide", ())),
        )
    )
    if not question and not answer:
        raise BadLine("unknown_shape")
    return question, answer, _text(fields, "system")


def _cell(value: Any) -> str:
    """What stands in a cell, as text; numbers and dates as spreadsheets give them."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None or isinstance(value, bool | list | Mapping) else str(value).strip()


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
