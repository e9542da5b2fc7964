"""The figures: differences with their intervals, all systems, slices, and answers that flipped."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.evaluate.report import plots
from trainer.evaluate.report.build import EvaluationReport
from trainer.evaluate.report.comparisons import SystemComparison
from trainer.evaluate.report.flips import FlippedAnswer
from trainer.evaluate.report.html import (
    Html,
    bilingual,
    difference_interval,
    join,
    link,
    mean_interval,
    mean_value,
    metric,
    p_value,
    signed_difference,
    slicing,
    split,
    table,
    tag,
)
from trainer.evaluate.report.summary import heading, lead, section
from trainer.evaluate.report.tables import MetricCell


def differences(report: EvaluationReport) -> Html:
    """One forest plot for each primary metric, and the table with p values and wins."""
    parts: list[Html] = []
    for name in dict.fromkeys(one.metric for one in report.declared):
        chosen = [one for one in report.declared if one.metric == name]
        main = chosen[0]
        parts += [
            tag("h3", metric(name)),
            lead("differences-lead", metric=metric(name), split=split(main.split)),
            plot(chosen),
            _compared(chosen),
        ]
    return section(heading("differences", "differences"), *parts) if parts else Html("")


def plot(found: Sequence[SystemComparison]) -> Html:
    """A forest plot of comparisons on one metric."""
    share = found[0].unit == "share"
    lines = [
        plots.ForestRow(
            f"{one.one} − {one.other}",
            f"{signed_difference(one.gain, one.unit)} {difference_interval(one.low, one.high, one.unit)}",
            one.gain,
            one.low,
            one.high,
            one.says,
            one.adjusted is not None,
        )
        for one in found
    ]
    return plots.forest(lines, 100 if share else 1, max(one.matters for one in found))


def beside(report: EvaluationReport) -> Html:
    """Every other measure of tuned against base, one line each."""
    if not report.flips:
        return Html("")
    one, other = report.flips.system, report.flips.against
    found = [c for c in (*report.declared, *report.beside) if (c.one, c.other) == (one, other)]
    rows = [
        (
            join((metric(c.metric), tag("small", c.split))),
            mean_value(c.mean_other, c.unit),
            mean_value(c.mean_one, c.unit),
            _change(c),
            _bar(c),
            _reading(c),
        )
        for c in found
    ]
    head = ("", other, one, bilingual("difference"), bilingual("wins"), bilingual("says"))
    return section(
        heading("beside", "beside", one=one, other=other), lead("beside-lead"), table(head, rows)
    )


def everything(report: EvaluationReport) -> Html:
    """All means: one table for each set of questions, metrics down, systems across."""
    names = [system.name for system in report.systems]
    parts = []
    for of in dict.fromkeys(cell.split for cell in report.cells):
        cells = {(c.metric, c.system): c for c in report.cells if c.split == of}
        rows = [
            (metric(one.name), *(_cell(cells.get((one.name, name)), one.unit) for name in names))
            for one in report.metrics
            if any((one.name, name) in cells for name in names)
        ]
        parts += [tag("h3", split(of)), table(("", *names), rows, class_="dense")]
    return section(heading("all", "all"), lead("all-lead"), *parts)


def slices(report: EvaluationReport) -> Html:
    """One forest plot for each way of slicing."""
    if not report.slices:
        return Html("")
    first = report.slices[0].comparison
    parts = []
    for name in dict.fromkeys(one.name for one in report.slices):
        lines = [
            plots.ForestRow(
                f"{one.value[:26]} ({one.comparison.questions:,})",
                f"{signed_difference(c.gain, c.unit)} {difference_interval(c.low, c.high, c.unit)}",
                c.gain,
                c.low,
                c.high,
                c.says,
            )
            for one in report.slices
            if one.name == name
            for c in [one.comparison]
        ]
        scale = 100 if first.unit == "share" else 1
        parts += [tag("h3", slicing(name)), plots.forest(lines, scale, first.matters)]
    return section(
        heading("slices", "slices"),
        lead("slices-lead", metric=metric(first.metric), one=first.one, other=first.other),
        *parts,
    )


def flips(report: EvaluationReport, file: str) -> Html:
    """Answers side by side with the source."""
    found = report.flips
    if not found or not (found.won or found.lost):
        return Html("")
    return section(
        heading("flips", "flips"),
        lead("flips-lead", won=f"{found.all_won:,}", lost=f"{found.all_lost:,}", file=file),
        *(
            join(
                (
                    tag("h3", bilingual(key)),
                    *(_flip(one, found.against, found.system) for one in some),
                )
            )
            for key, some in (("won", found.won), ("lost", found.lost))
            if some
        ),
    )


def _flip(flip: FlippedAnswer, against: str, system: str) -> Html:
    source = tag("dd", tag("b", link(flip.url, flip.header or bilingual("gold"))), "\n", flip.gold)
    return tag(
        "article",
        tag("h4", flip.question),
        tag(
            "dl",
            tag("div", tag("dt", bilingual("reference")), tag("dd", flip.reference), class_="all"),
            tag("div", tag("dt", against), tag("dd", flip.other or "—")),
            tag("div", tag("dt", system), tag("dd", flip.one or "—")),
            tag("div", tag("dt", bilingual("gold")), source, class_="all gold")
            if flip.gold
            else "",
            class_="two",
        ),
        class_="flip",
    )


def _compared(found: Sequence[SystemComparison]) -> Html:
    head = (
        bilingual("pair"),
        bilingual("holm"),
        bilingual("mcnemar"),
        bilingual("wins"),
        bilingual("says"),
    )
    return table(
        head,
        [
            (
                f"{one.one} − {one.other}",
                p_value(one.adjusted) if one.adjusted is not None else "",
                p_value(one.flips_p),
                _bar(one),
                _reading(one),
            )
            for one in found
        ],
    )


def _change(one: SystemComparison) -> Html:
    return join(
        (
            signed_difference(one.gain, one.unit),
            tag("small", difference_interval(one.low, one.high, one.unit)),
        )
    )


def _bar(one: SystemComparison) -> Html:
    if one.better == "neither":
        return Html("")
    counts = tag("small", f"{one.wins:,} / {one.ties:,} / {one.losses:,}")
    return join((plots.wins(one.wins, one.ties, one.losses), counts))


def _reading(one: SystemComparison) -> Html:
    return tag("span", bilingual(one.says), class_=one.says)


def _cell(cell: MetricCell | None, unit: str) -> Html:
    if cell is None:
        return Html("")
    if cell.mean is None or cell.low is None or cell.high is None:
        return join((mean_value(cell.mean, unit),))
    return join(
        (mean_value(cell.mean, unit), tag("small", mean_interval(cell.low, cell.high, unit)))
    )
