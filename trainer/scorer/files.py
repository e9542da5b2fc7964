"""Scored answers from files, each row judged on its own: a bad one costs only itself, and is named.

What was assumed for them (a maximum, a language) and what was not used of them is kept beside the
items, so that it can be said.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exchange.errors import BadFile
from exchange.settings import DEFAULT_LANGUAGE
from exchange.text.detect import detect_language
from trainer.dataset.json_layout import part_of
from trainer.dataset.readers import BadLine, decode_line
from trainer.dataset.records import RawRow, RecordReader
from trainer.scorer.fields import (
    UNKNOWN_SCALE,
    ReadOptions,
    columns_of,
    parse_item,
    row_id,
    split_of,
)
from trainer.scorer.items import ScoreItem, scale_of

_LANGUAGE_SAMPLE = 40  # rows by which the language is told


@dataclass(slots=True)
class ItemReadResult:
    """The rows that are items, and those that are not."""

    items: list[ScoreItem] = field(default_factory=list)  # to teach, and to divide
    valid: list[ScoreItem] = field(default_factory=list)  # official parts; empty where none are
    test: list[ScoreItem] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)  # file and row, reason code
    assumed_maximum: float = 0.0  # where no row and no flag named one; 0: it was not needed
    unused: dict[str, list[str]] = field(default_factory=dict)  # file -> headings nobody asked for
    language: str = ""  # of rows that name none
    records: list[Mapping[str, Any]] = field(default_factory=list)  # of the items, in order

    @property
    def all(self) -> list[ScoreItem]:
        """The items of all parts."""
        return [*self.items, *self.valid, *self.test]

    @property
    def reasons(self) -> Counter[str]:
        """How many rows were left out, by reason."""
        return Counter(reason for _, reason in self.bad)


def read_items(
    paths: Sequence[Path],
    options: ReadOptions | None = None,
    *,
    valid: Sequence[Path] = (),
    test: Sequence[Path] = (),
    scored: bool = True,
) -> ItemReadResult:
    """The items of files, each row judged on its own.

    An id names a row of its own file; of two rows with one id both are kept when they differ, and
    rows without an id always (two students may well say the same).

    Args:
        options: what holds for rows that do not say it; a language that nobody says is that in
            which most texts are written.
        valid, test: files whose rows are that part, whatever they say themselves.
        scored: a row without a score is bad, and so is one that stands there twice with its id;
            without, the scores are not looked at, every answer is kept, and one without a
            maximum has none.

    Raises:
        UserError: a file that cannot be read, is of no known kind, or no usable row at all.
    """
    options = options or ReadOptions()
    found = ItemReadResult()
    reader = RecordReader(options.columns)
    raw = [
        row
        for part, files in (("", paths), ("valid", valid), ("test", test))
        for path in dict.fromkeys(files)
        for row in reader.read(path, part)
    ]
    found.language = options.language or _language([row.content for row in raw], options)
    known: dict[str, str] = {}  # id -> the file where it was used
    seen: set[tuple[object, ...]] = set()
    asked = replace(options, language=found.language)
    kept: dict[str, list[tuple[ScoreItem, Mapping[str, Any]]]] = {"": [], "valid": [], "test": []}
    for row in raw:
        try:
            record = decode_line(row.content) if isinstance(row.content, bytes) else row.content
            item = parse_item(record, asked, scored=scored)
            if scored and item.score is None:
                raise BadLine("no_score")
            twice = (row.file, item.said, item.answer, item.guide, item.score, item.id)
            if scored and twice in seen and row_id(record, options):
                raise BadLine("duplicate_id")
            seen.add(twice)
        except BadLine as bad:
            found.bad.append((row.where, str(bad)))
            continue
        part = row.part or part_of(split_of(record, options))
        item = replace(item, id=_own_id(item.id, row.file, known))
        kept["" if part == "train" else part].append((item, record))
        _note_unused(found, row.file, record, options)
    for part, items in (("", found.items), ("valid", found.valid), ("test", found.test)):
        items += [item for item, _ in kept[part]]
        found.records += [record for _, record in kept[part]]
    if not found.all:
        names = ", ".join(path.name for path in (*paths, *valid, *test))
        why = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common(3))
        raise BadFile(f"{names}: no usable row ({why or 'empty'}); {_wanted(raw, scored)}")
    if scored:
        _scale(found)
    return found


def _own_id(name: str, file: str, known: dict[str, str]) -> str:
    """The id, told apart from the same one of another row: by its file, then by a number."""
    if name in known and known[name] != file:
        name = f"{Path(file).stem}:{name}"
    own, number = name, 1
    while own in known:
        number += 1
        own = f"{name}#{number}"
    known[own] = file
    return own


def _note_unused(
    found: ItemReadResult, file: str, record: Mapping[str, Any], options: ReadOptions
) -> None:
    unused = columns_of(record, options).unused
    held = [name for name in unused if record.get(name) not in (None, "", [], {})]
    if held:
        names = found.unused.setdefault(file, [])
        names += [name for name in held if name not in names]


def _language(rows: Sequence[bytes | Mapping[str, Any]], options: ReadOptions) -> str:
    """The one in which most questions and guides are written."""
    texts = []
    step = max(1, len(rows) // _LANGUAGE_SAMPLE)
    for row in rows[::step]:
        try:
            record = decode_line(row) if isinstance(row, bytes) else row
            item = parse_item(record, options, scored=False)
        except BadLine:
            continue
        texts.append(f"{item.question}\n{item.guide}\n{item.answer}")
    return detect_language(list(dict.fromkeys(texts))) or DEFAULT_LANGUAGE


def _wanted(raw: Sequence[RawRow], scored: bool) -> str:
    """What to do about a file of which nothing could be read."""
    said = "a row has question, guide, answer" + (" and score" if scored else "")
    first = next((row.content for row in raw if isinstance(row.content, Mapping)), None)
    if not first:
        return said
    names = ", ".join(repr(str(name)[:40]) for name in list(first)[:12])
    return f"{said}; this file has {names}: say which is which, as in --columns answer=HEADING"


def _scale(found: ItemReadResult) -> None:
    """Give every item its scale, by all scores under the same maximum."""
    items = found.all
    if any(item.scale is UNKNOWN_SCALE for item in items):
        largest = max((item.score for item in items if item.score is not None), default=0.0)
        found.assumed_maximum = float(math.ceil(largest)) or 1.0
    by_maximum: dict[float, list[float]] = {}
    for item in items:
        scores = by_maximum.setdefault(item.scale.maximum or found.assumed_maximum, [])
        if item.score is not None:
            scores.append(item.score)
    scales = {maximum: scale_of(maximum, scores) for maximum, scores in by_maximum.items()}
    for part in (found.items, found.valid, found.test):
        part[:] = [
            replace(item, scale=scales[item.scale.maximum or found.assumed_maximum])
            for item in part
        ]
