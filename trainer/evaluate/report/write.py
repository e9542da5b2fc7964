"""The report's files, beside the records that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from exchange.files import write_atomic
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report import appendix, context, results
from trainer.evaluate.report.build import EvaluationReport, ReportOptions, build_report
from trainer.evaluate.report.html import LANGUAGES, Html, join, tag, text
from trainer.evaluate.report.summary import summary_section

# The page: one file that needs nothing else, runs nothing and asks nobody.
#
# The policy in its head forbids every request and every script, so that even text which slipped
# through the escaping could do nothing.

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NAMES = {"el": "Ελληνικά", "en": "English"}
_STYLE = Path(__file__).with_name("style.css")


def render_report(report: EvaluationReport, items_file: str, figures_file: str) -> str:
    """The whole page.

    Args:
        items_file: name of the file with every question, to be named.
        figures_file: the same of the figures.
    """
    first = report.choices.language if report.choices.language in LANGUAGES else "en"
    title = f"{report.about.archive}: {report.sentence}"
    head = join(
        (
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            tag("style", Html(_STYLE.read_text("utf-8"))),
        )
    )
    choices = join(
        Html(
            f'<input class="choice" type="radio" name="language" id="{name}"'
            f"{' checked' if name == first else ''}>"
        )
        for name in LANGUAGES
    )
    labels = tag(
        "div", *(tag("label", _NAMES[name], for_=name) for name in LANGUAGES), class_="languages"
    )
    main = tag(
        "main",
        summary_section(report),
        results.differences(report),
        results.beside(report),
        results.everything(report),
        results.slices(report),
        results.flips(report, items_file),
        appendix.calibration(report),
        appendix.judge(report),
        appendix.losses(report),
        appendix.coverage(report),
        appendix.costs(report),
        appendix.made(report),
        appendix.footer(figures_file),
    )
    body = tag("body", choices, labels, main)
    return f'<!doctype html>\n<html lang="{first}"><head>{head}</head>{body}</html>\n'


PAGE, FIGURES, ITEMS = "report.html", "report.json", "report.jsonl"


def write_report(
    folder: Path,
    archive_dir: Path,
    choices: ReportOptions,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> EvaluationReport:
    """Read an evaluation, and write its report into the same folder.

    Raises:
        UserError: no finished evaluation there, or the disk is full.
    """
    evaluation = Evaluation.read(folder)
    around = context.read_context(archive_dir, evaluation.about.run, progress)
    found = build_report(evaluation, around, choices)
    write_atomic(folder / ITEMS, b"".join(_items(evaluation)))
    write_atomic(folder / FIGURES, to_json(found))
    write_atomic(folder / PAGE, render_report(found, ITEMS, FIGURES).encode("utf-8", "replace"))
    return found


def to_json(found: EvaluationReport) -> bytes:
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
