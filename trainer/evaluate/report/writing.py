"""The report's files, beside the records that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from trainer import runs
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report import surroundings
from trainer.evaluate.report.making import Choices, Report, report
from trainer.evaluate.report.page import render

PAGE, FIGURES, ITEMS = "report.html", "report.json", "report.jsonl"


def write(
    folder: Path,
    archive_dir: Path,
    choices: Choices,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Report:
    """Read an evaluation, and write its report into the same folder.

    Raises:
        UserError: no finished evaluation there, or the disk is full.
    """
    evaluation = Evaluation.read(folder)
    around = surroundings.read(archive_dir, evaluation.about.run, progress)
    found = report(evaluation, around, choices)
    runs.write(folder / ITEMS, b"".join(_items(evaluation)))
    runs.write(folder / FIGURES, to_json(found))
    runs.write(folder / PAGE, render(found, ITEMS, FIGURES).encode("utf-8", "replace"))
    return found


def to_json(found: Report) -> bytes:
    """Every figure; `passed` is the gate's."""
    whole = {**asdict(found), "passed": found.passed}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _items(evaluation: Evaluation) -> Iterator[bytes]:
    """One line a question: the item, and by system what was said and how it was measured."""
    names = [system.name for system in evaluation.systems]
    for key, item in evaluation.items.items():
        line: dict[str, Any] = asdict(item)
        line["answers"] = {
            name: asdict(answer)
            for name in names
            if (answer := evaluation.answers.get(name, {}).get(key))
        }
        line["values"] = {
            metric: values
            for metric, by_system in evaluation.scores.items()
            if (
                values := {
                    name: by_system[name][key] for name in names if key in by_system.get(name, {})
                }
            )
        }
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
