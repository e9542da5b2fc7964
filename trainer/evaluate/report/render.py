"""The page: one file that needs nothing else, runs nothing and requests nothing.

The policy in its head forbids every request and every script, so that even text which slipped
through the escaping could do nothing. The templates decide how it looks; what is chosen or put
together before it can be shown is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson

from exchange.html import plots, templates
from exchange.html.plots import ForestRow
from trainer.evaluate.report import strings
from trainer.evaluate.report.answers import CalibrationCurve
from trainer.evaluate.report.build import EvaluationReport
from trainer.evaluate.report.comparisons import SliceComparison, SystemComparison
from trainer.evaluate.report.reasons import (
    Phrase,
    gain_values,
    shown_gain,
    verdict_phrase,
    verdict_reasons,
)
from trainer.evaluate.report.strings import (
    difference_interval,
    mean_value,
    named,
    p_value,
    phrase,
    signed_difference,
    split_title,
)
from trainer.evaluate.report.tables import MetricCell, TrainingCost
from trainer.evaluate.report.verdict import GateCheck

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SLICE_LABEL = 26  # characters of a slice's name that fit beside its plot


def render_report(report: EvaluationReport, items_file: str, figures_file: str) -> str:
    """The whole page.

    Args:
        items_file: name of the file with every question, to be named.
        figures_file: the same of the figures.
    """
    known, audit = strings.languages(), report.audit
    stories = report.surroundings.stories.values()
    verdict = verdict_phrase(report)
    first = report.choices.language if report.choices.language in known else "en"
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            policy=POLICY,
            languages=known,
            first=first,
            alt=partial(strings.plain_phrase, first),
            sections=dict(_sections(report)),
            verdict=verdict,
            reasons=list(verdict_reasons(report)),
            system_names=[system.name for system in report.systems],
            cells_by_split=list(_cells_by_split(report, report.cells)),
            unknown_by_split=list(_cells_by_split(report, report.unknown.cells))
            if report.unknown
            else [],
            periods=[(one, _cells_by_metric(report, one.cells)) for one in report.periods],
            human=", ".join(f"{key} {value}" for key, value in audit.human.items())
            if audit
            else "",
            highest=max((count for counts in stories for count in counts), default=1),
            provenance=_provenance(report),
            settings=orjson.dumps(report.about.settings, option=orjson.OPT_INDENT_2).decode(),
            items_file=items_file,
            figures_file=figures_file,
        )
    )


@cache
def _environment() -> Environment:
    made = templates.environment("trainer.evaluate.report")
    made.filters |= {
        "groups": _groups,
        "mean_value": mean_value,
        "model_title": strings.model_title,
        "p_value": p_value,
        "signed_difference": signed_difference,
        "thousands": strings.thousands,
    }
    made.globals |= {
        "difference_interval": difference_interval,
        "forest": _forest,
        "gate_values": _gate_values,
        "mean_interval": strings.mean_interval,
        "named": named,
        "plots": plots,
        "reliability": _reliability,
        "slice_forest": _slice_forest,
        "split_title": split_title,
        "t": phrase,
        "training_values": _training_values,
    }
    return made


def _sections(report: EvaluationReport) -> Iterator[Phrase]:
    """What has something to show, in order: its anchor, which is the key of its heading."""
    flips, around = report.flips, report.surroundings
    between = {"one": flips.system, "other": flips.against} if flips else {}
    places: dict[str, dict[str, Any]] = {
        "beside": between,
        "periods": {"day": report.about.as_of},
    }
    there = {
        "differences": report.declared,
        "unknown": report.unknown,
        "beside": flips,
        "all": True,
        "periods": report.periods,
        "slices": report.slices,
        "flips": flips and (flips.won or flips.lost),
        "calibration": report.calibration,
        "selective": report.selective,
        "strength": report.strength,
        "judge": True,
        "losses": len(around.train_losses) + len(around.valid_losses) > 1,
        "coverage": any(map(any, around.stories.values())),
        "costs": True,
        "made": True,
    }
    for name, shown in there.items():
        if shown:
            yield name, places.get(name, {})


def _groups(found: Sequence[Any], attribute: str) -> list[tuple[Any, list[Any]]]:
    """Records by one of their fields, in the order in which its values come first."""
    grouped: dict[Any, list[Any]] = {}
    for one in found:
        grouped.setdefault(attrgetter(attribute)(one), []).append(one)
    return list(grouped.items())


def _gate_values(check: GateCheck) -> dict[str, Any]:
    metric, found = named("metrics", check.metric), check.comparison
    if not found:
        return {"metric": metric}
    allowed = signed_difference(check.allowed, found.unit).lstrip("+")
    return {
        "metric": metric,
        **gain_values(found),
        "allowed": allowed,
        "more": f"{check.more:,}",
    }


def _forest(compared: Sequence[SystemComparison]) -> Markup:
    """Comparisons on one metric; those of the declared set are strong."""
    rows = [
        _forest_row(f"{one.one} − {one.other}", one, strong=one.adjusted is not None)
        for one in compared
    ]
    scale = 100 if compared[0].unit == "share" else 1
    return plots.forest(rows, scale, max(one.matters for one in compared))


def _slice_forest(slices: Sequence[SliceComparison], first: SystemComparison) -> Markup:
    rows = [
        _forest_row(f"{one.value[:SLICE_LABEL]} ({one.comparison.questions:,})", one.comparison)
        for one in slices
    ]
    return plots.forest(rows, 100 if first.unit == "share" else 1, first.matters)


def _forest_row(label: str, one: SystemComparison, *, strong: bool = False) -> ForestRow:
    return ForestRow(label, shown_gain(one), one.gain, one.low, one.high, one.says, strong)


def _reliability(curve: CalibrationCurve) -> Markup:
    bins = [(one.confidence, one.right, one.count) for one in curve.bins]
    told = ", ".join(f"{sure:.0%}: {right:.0%} ({count:,})" for sure, right, count in bins)
    return plots.reliability(bins, told)


def _cells_by_split(
    report: EvaluationReport, found_cells: Sequence[MetricCell]
) -> Iterator[tuple[str, list[Any]]]:
    """Each set of questions with its metrics, and a cell or None for every system."""
    for split, cells in _groups(found_cells, "split"):
        yield split, _cells_by_metric(report, cells)


def _cells_by_metric(report: EvaluationReport, cells: Sequence[MetricCell]) -> list[Any]:
    names = [system.name for system in report.systems]
    found = {(cell.metric, cell.system): cell for cell in cells}
    return [
        (metric, [found.get((metric.name, name)) for name in names])
        for metric in report.metrics
        if any((metric.name, name) in found for name in names)
    ]


def _training_values(cost: TrainingCost) -> dict[str, str]:
    return {
        "hours": f"{cost.hours:.2g}",
        "tokens": f"{cost.tokens:,}",
        "memory": f"{cost.peak_gb:.2g}",
        "kwh": f"{cost.kwh:.2g}",
        "watts": f"{cost.watts:g}",
    }


def _provenance(report: EvaluationReport) -> list[tuple[str, str]]:
    """All that is needed to do it again, but the settings."""
    about = report.about
    return [
        ("model", f"{strings.model_title(about.model)} ({about.model_sha})"),
        ("run", f"{about.run}, {about.checkpoint}"),
        ("adapter", about.adapter or "-"),
        ("dataset", about.dataset),
        ("chunks", about.corpus),
        ("started", about.started),
        *((system.name, f"{system.about} ({system.key})") for system in report.systems),
        *((metric.name, metric.signature) for metric in report.metrics),
        *([("judge", report.audit.signature)] if report.audit else []),
    ]
