"""Scored answers from files that others made: JSON, JSONL, CSV. A bad row costs only itself."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exchange.errors import BadFile, TooLarge
from exchange.records import digest
from exchange.text.language import every
from trainer.dataset.readers import MAX_LINE_BYTES, BadLine, decode_line, numbered_lines
from trainer.scorer.items import ScoreItem, ScoreScale, scale_of

_FIELDS: dict[str, tuple[str, ...]] = {
    "question": ("question", "prompt"),
    "guide": ("guide", "reference", "rubric", "reference_answer", "model_answer"),
    "answer": ("answer", "response", "student_answer", "completion"),
    "score": ("score", "grade", "label", "points"),
    "maximum": ("maximum", "max", "max_score", "out_of"),
    "language": ("language", "lang"),
    "id": ("id",),
}
NAMES = {field: (*names, *every().columns.get(field, ())) for field, names in _FIELDS.items()}
_LARGEST_JSON = 1 << 30  # bytes; it has to be read whole, JSONL does not
_DELIMITERS = ",;\t"
_UNKNOWN = ScoreScale(0, 0)  # until all rows are read: the maximum may be the largest score


@dataclass(slots=True)
class ItemReadResult:
    """The rows that are items, and those that are not."""

    items: list[ScoreItem] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)  # file and row, reason code
    assumed_maximum: float = 0.0  # where no row and no flag named one; 0: it was not needed

    @property
    def reasons(self) -> Counter[str]:
        """How many rows were left out, by reason."""
        return Counter(reason for _, reason in self.bad)


def read_items(
    paths: Sequence[Path], *, maximum: float = 0.0, language: str = "el", scored: bool = True
) -> ItemReadResult:
    """The items of files, each row judged on its own.

    Args:
        maximum: of rows that name none; 0: the largest score of the files.
        language: of rows that name none.
        scored: a row without a score is bad.

    Raises:
        UserError: a file that cannot be read, is of no known kind, or no usable row at all.
    """
    found = ItemReadResult()
    known: set[str] = set()
    for path in paths:
        for where, raw in _rows(path):
            try:
                item = parse_item(
                    decode_line(raw) if isinstance(raw, bytes) else raw, maximum, language
                )
                if scored and item.score is None:
                    raise BadLine("no_score")
                if item.id in known:
                    raise BadLine("duplicate_id")
            except BadLine as bad:
                found.bad.append((where, str(bad)))
                continue
            known.add(item.id)
            found.items.append(item)
    if not found.items:
        why = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common(3))
        raise BadFile(
            f"{', '.join(path.name for path in paths)}: no usable row ({why or 'empty'}); a row "
            "has question, guide, answer and score"
        )
    _scale(found)
    return found


def parse_item(fields: Mapping[str, Any], maximum: float = 0.0, language: str = "el") -> ScoreItem:
    """One row as an item; its scale is still unknown when no maximum is.

    Raises:
        BadLine: with the reason code: `no_question`, `no_answer`, `nul`, `surrogate`, `bad_score`,
            `bad_maximum`, `negative_score`, `score_above_maximum`, `extra_columns`.
    """
    if None in fields:  # csv's key for what has no heading
        raise BadLine("extra_columns")
    plain = {str(name).strip().lower(): value for name, value in fields.items()}
    question, guide = _text(plain, "question"), _text(plain, "guide")
    answer = _value(plain, "answer")
    if not question:
        raise BadLine("no_question")
    if not isinstance(answer, str):  # an empty one may well be scored
        raise BadLine("no_answer")
    for text in (question, guide, answer):
        _check(text)
    score = _number(plain, "score")
    most = _number(plain, "maximum")
    if most is None:
        most = maximum
    elif most <= 0:
        raise BadLine("bad_maximum")
    if score is not None and score < 0:
        raise BadLine("negative_score")
    if score is not None and most and score > most:
        raise BadLine("score_above_maximum")
    spoken = _text(plain, "language") or language
    name = _text(plain, "id") or digest(question, guide, answer, str(score), str(most))
    scale = scale_of(most) if most else _UNKNOWN
    return ScoreItem(name, question, guide, answer.strip(), scale, score, spoken)


def _check(text: str) -> None:
    """Refuse what no tokenizer and no file could take."""
    if "\0" in text:
        raise BadLine("nul")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadLine("surrogate") from None


def _scale(found: ItemReadResult) -> None:
    """Give every item its scale, by all scores under the same maximum."""
    if any(item.scale is _UNKNOWN for item in found.items):
        largest = max((item.score for item in found.items if item.score is not None), default=0.0)
        found.assumed_maximum = float(math.ceil(largest)) or 1.0
    by_maximum: dict[float, list[float]] = {}
    for item in found.items:
        scores = by_maximum.setdefault(item.scale.maximum or found.assumed_maximum, [])
        if item.score is not None:
            scores.append(item.score)
    scales = {maximum: scale_of(maximum, scores) for maximum, scores in by_maximum.items()}
    found.items = [
        replace(item, scale=scales[item.scale.maximum or found.assumed_maximum])
        for item in found.items
    ]


def _rows(path: Path) -> Iterator[tuple[str, bytes | Mapping[str, Any]]]:
    kind = path.suffix.lower()
    if kind == ".jsonl":
        return numbered_lines(path)
    if kind == ".json":
        return _json(path)
    if kind in (".csv", ".tsv"):
        return _csv(path)
    raise BadFile(f"{path.name}: known are .json, .jsonl and .csv")


def _json(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A list of objects, or an object that holds one list of them."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise TooLarge(f"{path.name} is larger than 1 GB: write it as JSONL, a line a row")
        loaded = json.loads(path.read_bytes())
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise BadFile(f"{path.name}:{error.lineno} is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise BadFile(f"{path.name} is not JSON in UTF-8") from None
    if isinstance(loaded, dict):
        lists = [value for value in loaded.values() if isinstance(value, list)]
        loaded = lists[0] if len(lists) == 1 else [loaded]
    if not isinstance(loaded, list):
        raise BadFile(f"{path.name} holds no list of rows")
    for number, row in enumerate(loaded, 1):
        # What is no object becomes an empty one, which is refused with its place.
        yield f"{path.name}[{number}]", row if isinstance(row, dict) else {}


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows under a line of headings, separated by commas, semicolons or tabs."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{path.name} is not UTF-8: save it as CSV UTF-8") from None
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise BadFile(f"{path.name}:{reader.line_num}: {error}") from None
        if row is None:
            return
        yield f"{path.name}:{reader.line_num}", row


def _value(fields: Mapping[str, Any], name: str) -> Any:
    return next((fields[known] for known in NAMES[name] if fields.get(known) is not None), None)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = _value(fields, name)
    if name == "guide" and isinstance(value, list):
        value = "\n".join(str(point) for point in value)  # a guide of points
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    value = _value(fields, name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, TypeError):
        raise BadLine(f"bad_{name}") from None
    if not math.isfinite(number):
        raise BadLine(f"bad_{name}")
    return number
