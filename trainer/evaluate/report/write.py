"""The report's files, beside the records that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from msgspec import to_builtins

from exchange.files import write_atomic
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report.build import (
    EvaluationReport,
    ReportOptions,
    build_report,
    read_context,
)
from trainer.evaluate.report.render import render_report
from trainer.progress import StageProgress

PAGE, FIGURES, ITEMS = "report.html", "report.json", "report.jsonl"


def write_report(
    folder: Path,
    archive_dir: Path,
    choices: ReportOptions,
    progress: StageProgress = lambda what, done, total: None,
) -> EvaluationReport:
    """Read an evaluation, and write its report into the same folder.

    Raises:
        UserError: no finished evaluation there, or the disk is full.
    """
    evaluation = Evaluation.read(folder)
    around = read_context(archive_dir, evaluation.about.run, progress)
    found = build_report(evaluation, around, choices)
    write_atomic(folder / ITEMS, b"".join(_items(evaluation)))
    write_atomic(folder / FIGURES, to_json(found))
    write_atomic(folder / PAGE, render_report(found, ITEMS, FIGURES).encode("utf-8", "replace"))
    return found


def to_json(found: EvaluationReport) -> bytes:
    """Every figure; `passed` is the gate's."""
    whole = {**to_builtins(found), "passed": found.passed}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _items(evaluation: Evaluation) -> Iterator[bytes]:
    """One line a question: the item, and by system what was said and how it was measured."""
    names = [system.name for system in evaluation.systems]
    for key, item in evaluation.items.items():
        line: dict[str, Any] = item.to_dict()
        line["answers"] = {
            name: answer.to_dict()
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
