"""The report in a few lines, for the terminal that waited for it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from trainer.evaluate.report.comparisons import Comparison
from trainer.evaluate.report.gate import Check
from trainer.evaluate.report.html import between, chance, gain, value
from trainer.evaluate.report.making import Report
from trainer.evaluate.report.splits import UNSEEN
from trainer.evaluate.report.writing import PAGE


def tell(console: Console, report: Report, folder: Path) -> None:
    """Verdict, the comparisons it stands on, the gate, warnings, and where the page is."""
    if report.verdict:
        main = [one for one in report.declared if one.metric == report.verdict.metric]
        title = (
            f"{report.verdict.metric} on {report.verdict.split}: "
            f"{main[0].questions:,} questions, {main[0].stories:,} stories"
        )
        console.print(_table(title, main))
    if report.flips and report.verdict and report.verdict.split != UNSEEN:
        unseen = report.comparison(
            report.verdict.metric, UNSEEN, report.flips.system, report.flips.against
        )
        if unseen:
            console.print(f"never taught ({UNSEEN}): {_words(unseen)}", markup=False)
    for check in report.gate:
        console.print(f"gate: {gate_line(check)}", markup=False, soft_wrap=True)
    if report.few:
        console.print(f"[yellow]note:[/] only {report.few} stories: intervals may be too narrow")
    for warning in report.warnings:
        console.print("note:", warning, markup=False, soft_wrap=True)
    console.print(f"[bold]verdict: {report.sentence}[/]")
    console.print(f"report in {folder / PAGE}", soft_wrap=True, markup=False)


def gate_line(check: Check) -> str:
    """One guarded metric in words."""
    if check.comparison is None:
        return f"{check.metric} not measured"
    found = check.comparison
    limit = gain(check.allowed, found.unit).lstrip("+")
    ends = f"{gain(found.gain, found.unit)} {between(found.low, found.high, found.unit)}"
    more = f", {check.more:,} more questions needed" if check.more else ""
    return f"{check.metric} {check.outcome}: {ends}, limit −{limit}{more}"


def _table(title: str, found: list[Comparison]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("pair", "points", "95 %", "p (Holm)", "reading"):
        left = name in ("pair", "reading")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for one in found:
        table.add_row(
            f"{one.one} − {one.other}",
            gain(one.gain, one.unit),
            between(one.low, one.high, one.unit),
            chance(one.adjusted) if one.adjusted is not None else "",
            one.says,
        )
    return table


def _words(one: Comparison) -> str:
    return (
        f"{one.one} {value(one.mean_one, one.unit)}, {one.other} {value(one.mean_other, one.unit)},"
        f" difference {gain(one.gain, one.unit)} {between(one.low, one.high, one.unit)}"
    )
