"""The report's files, beside the records that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from msgspec import to_builtins
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from exchange.files import write_atomic
from trainer.console import StageProgress
from trainer.evaluate.records import AFTER, Evaluation
from trainer.evaluate.report import strings
from trainer.evaluate.report.build import (
    EvaluationReport,
    ReportOptions,
    build_report,
    read_context,
)
from trainer.evaluate.report.comparisons import UNSEEN_SPLIT, SystemComparison
from trainer.evaluate.report.render import render_report
from trainer.evaluate.report.strings import (
    difference_interval,
    gain_with_interval,
    mean_value,
    p_value,
    signed_difference,
)
from trainer.evaluate.report.unknown import UnknownQuestions
from trainer.evaluate.report.verdict import GateCheck

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


# The report in a few lines, for the terminal that waited for it.

SHOWN_COVERAGE = 0.8  # of the questions, in one line; the page has more


def print_report(console: Console, report: EvaluationReport, folder: Path) -> None:
    """Verdict, the comparisons it stands on, the gate, warnings, and where the page is."""
    if report.verdict:
        main = [one for one in report.declared if one.metric == report.verdict.metric]
        title = (
            f"{report.verdict.metric} on {report.verdict.split}: "
            f"{main[0].questions:,} questions, {main[0].stories:,} stories"
        )
        console.print(_table(title, main))
    if report.unknown:
        console.print(unknown_line(report.unknown), markup=False, soft_wrap=True)
    if report.flips and report.verdict and report.verdict.split != UNSEEN_SPLIT:
        unseen = report.comparison(
            report.verdict.metric, UNSEEN_SPLIT, report.flips.system, report.flips.against
        )
        if unseen:
            console.print(
                f"never taught ({UNSEEN_SPLIT}): {_comparison_line(unseen)}", markup=False
            )
    for one in report.periods:
        if one.gain:
            when = "after" if one.period == AFTER else "up to"
            console.print(
                f"printed {when} {report.about.as_of} ({one.split}, {one.stories:,} stories): "
                f"{_comparison_line(one.gain)}",
                markup=False,
                soft_wrap=True,
            )
    for selective in report.selective:
        if row := selective.at(SHOWN_COVERAGE):
            ends = gain_with_interval(row.gain, row.low, row.high, "share")
            console.print(
                f"{selective.system} on {selective.split}: of the surest {row.coverage:.0%} of its "
                f"answers {row.right:.0%} are right, of all {selective.right:.0%} ({ends})",
                markup=False,
                soft_wrap=True,
            )
    if report.strength:
        found = report.strength
        console.print(
            f"forgetting begins at strength {found.begins:g}, the strongest below is {found.most:g}"
            if found.begins
            else "no strength of the adapter has clearly forgotten",
            soft_wrap=True,
        )
    for check in report.gate:
        console.print(f"gate: {gate_line(check)}", markup=False, soft_wrap=True)
    if report.few:
        console.print(
            f"[yellow]note:[/] the stories count as only {report.few} of equal size: intervals may "
            "be too narrow"
        )
    for warning in report.warnings:
        console.print("note:", warning, markup=False, soft_wrap=True)
    console.print(f"[bold]verdict: {report.sentence}[/]")
    console.print(f"report in {folder / PAGE}", soft_wrap=True, markup=False)


def unknown_line(found: UnknownQuestions) -> str:
    """What holds where the base did not know, in words."""
    unit = found.declared[0].unit
    means = ", ".join(f"{name} {mean_value(mean, unit)}" for name, mean in found.means.items())
    said = found.verdict.sentence if found.verdict else "nothing to decide"
    return (
        f"of the {found.questions:,} of {found.asked:,} questions that the base could not answer: "
        f"{said}; {means}"
    )


def gate_line(check: GateCheck) -> str:
    """One guarded metric in words."""
    if check.comparison is None:
        return f"{check.metric} not measured"
    found = check.comparison
    limit = signed_difference(check.allowed, found.unit).lstrip("+")
    ends = gain_with_interval(found.gain, found.low, found.high, found.unit)
    more = f", {check.more:,} more questions needed" if check.more else ""
    return f"{check.metric} {check.outcome}: {ends}, limit −{limit}{more}"


def _table(title: str, found: list[SystemComparison]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for name in ("pair", "points", "95 %", "p (Holm)", "reading"):
        left = name in ("pair", "reading")
        table.add_column(
            name, justify="left" if left else "right", no_wrap=name != "reading", min_width=4
        )
    for one in found:
        table.add_row(
            f"{one.one} − {one.other}",
            signed_difference(one.gain, one.unit),
            difference_interval(one.low, one.high, one.unit),
            p_value(one.adjusted),
            strings.load("en")["text"][one.says],
        )
    return table


def _comparison_line(one: SystemComparison) -> str:
    return (
        f"{one.one} {mean_value(one.mean_one, one.unit)}, "
        f"{one.other} {mean_value(one.mean_other, one.unit)}, "
        f"difference {gain_with_interval(one.gain, one.low, one.high, one.unit)}"
    )
