"""A small class of ours to start from: questions, guides and scored answers, as a file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import Busy, UsageError
from exchange.files import write_atomic
from exchange.text.controls import csv_lines

HEADINGS = ("question", "guide", "answer", "score", "maximum")
_LANGUAGES = ("en", "el")


def sample_rows(language: str) -> list[dict[str, Any]]:
    """The rows of the sample.

    Raises:
        UsageError: there is none in this language.
    """
    if language not in _LANGUAGES:
        raise UsageError(f"there are samples in {' and '.join(_LANGUAGES)}, not in {language!r}")
    text = resources.files(__package__).joinpath("templates", f"sample.{language}.json")
    return [
        dict(
            zip(
                HEADINGS,
                (asked["question"], asked["guide"], answer, score, asked["maximum"]),
                strict=True,
            )
        )
        for asked in orjson.loads(text.read_bytes())
        for answer, score in asked["answers"]
    ]


def write_sample(path: Path, language: str) -> int:
    """Write the sample and say how many rows it has.

    Raises:
        UsageError: another kind of file, or no sample in this language.
        Busy: the file exists: it may be somebody's own.
    """
    rows = sample_rows(language)
    if path.exists():
        raise Busy(f"{path} exists already: name another file")
    kind = path.suffix.lower()
    if kind == ".json":
        lines = b",\n".join(orjson.dumps(row) for row in rows)
        write_atomic(path, b"[\n" + lines + b"\n]\n")
    elif kind == ".jsonl":
        write_atomic(path, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    elif kind == ".csv":
        table = csv_lines([HEADINGS, *(row.values() for row in rows)])
        write_atomic(path, table.encode("utf-8-sig"))
    else:
        raise UsageError(f"{path}: a sample is written as .json, .jsonl or .csv")
    return len(rows)
