"""Reports: what evaluations found, opened in a frame without rights, and two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from exchange.errors import NotFound, UserError
from exchange.project import runs_with
from kkoracle.live.page import render_page
from kkoracle.live.record import read_mornings
from kkoracle.studio.charts import REPORT
from kkoracle.studio.studio import Studio, sandboxed
from trainer.evaluate.report import strings
from trainer.evaluate.report.side_by_side import ReportFigures, compare_reports
from trainer.evaluate.report.write import FIGURES
from trainer.training.runs import TrainingRun

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

FOLDER = "evaluation"  # in a run's folder
# What both were made of: label, name in the evaluation, how it is shown.
ABOUT: Sequence[tuple[str, str, Callable[[Any], str]]] = (
    ("model", "model", lambda name: strings.model_title(str(name))),
    ("dataset", "dataset", str),
    ("archive as it was", "corpus", str),
    ("checkpoint", "checkpoint", str),
    ("asked", "started", lambda at: str(at)[:16].replace("T", " ")),
)


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    return [
        Route("/reports", partial(show_reports, studio), name="reports"),
        Route("/reports/compare", partial(show_two, studio), name="compare-reports"),
        Route("/mornings", partial(show_mornings, studio), name="mornings"),
        Route("/mornings/page", partial(show_mornings_page, studio), name="mornings-page"),
        Route("/reports/{run}", partial(show_report, studio), name="report"),
        Route("/reports/{run}/page", partial(show_page, studio), name="report-page"),
    ]


def show_reports(studio: Studio, request: Request) -> Response:
    """All reports, the newest first."""
    reports = list(read_reports(studio.directory))
    mornings = len(read_mornings(studio.directory))
    return studio.page(request, "reports.html.j2", reports=reports, mornings=mornings, shown=SHOWN)


def show_mornings(studio: Studio, request: Request) -> Response:
    """What `kkoracle live` has read, learned and refused, day by day."""
    found = read_mornings(studio.directory)
    return studio.page(request, "mornings.html.j2", mornings=found)


def show_mornings_page(studio: Studio, request: Request) -> Response:
    """The mornings themselves, as a page without rights."""
    return sandboxed(render_page(studio.directory))


def show_report(studio: Studio, request: Request) -> Response:
    """One report in its frame."""
    run = request.path_params["run"]
    _page_of(studio, run)
    others = [name for name, *_ in read_reports(studio.directory) if name != run]
    return studio.page(request, "report.html.j2", run=run, others=others)


def show_page(studio: Studio, request: Request) -> Response:
    """The report itself, as a page without rights."""
    page = _page_of(studio, request.path_params["run"])
    return sandboxed(page.read_text("utf-8", "replace"))


def show_two(studio: Studio, request: Request) -> Response:
    """Two reports: every figure of both, and how far they are apart."""
    runs = request.query_params.getlist("run")
    if not runs and (TrainingRun(studio.directory, "compare").folder / REPORT).exists():
        request.path_params["run"] = "compare"  # a run may be called that
        return show_report(studio, request)
    if len(runs) != 2:
        raise NotFound(f"tick two reports to see them side by side, not {len(runs)}")
    found = [ReportFigures.read(TrainingRun(studio.directory, run).folder / FOLDER) for run in runs]
    return studio.page(
        request,
        "reports_compared.html.j2",
        runs=runs,
        found=found,
        groups=[
            (metric, list(rows))
            for metric, rows in groupby(compare_reports(*found), lambda one: one.metric)
        ],
        alike=[
            (label, *(shown(one.about.get(name, "")) for one in found))
            for label, name, shown in ABOUT
        ],
        shown=SHOWN,
    )


def read_reports(directory: Path) -> Iterator[tuple[str, bool, ReportFigures | None, str]]:
    """Of each evaluated run: its name, if it has a page, its figures, or why there are none."""
    pages = runs_with(directory, REPORT)
    figures = runs_with(directory, f"{FOLDER}/{FIGURES}")
    for folder in dict.fromkeys([*figures, *pages]):
        try:
            yield folder.name, folder in pages, ReportFigures.read(folder / FOLDER), ""
        except UserError as error:
            yield folder.name, folder in pages, None, str(error)


def _page_of(studio: Studio, run: str) -> Path:
    page = TrainingRun(studio.directory, run).folder / REPORT
    if not page.is_file():
        raise NotFound(f"no report of run {run!r} yet: `kkoracle evaluate --name {run}` writes it")
    return page


def metric_name(name: str) -> str:
    """What people call a metric."""
    return str(strings.load("en")["metrics"].get(name, name))


def split_name(name: str) -> str:
    """What people call a set of questions; "" for all of them."""
    return str(strings.load("en")["splits"].get(name, name))


# How templates show figures.
SHOWN: dict[str, Any] = {
    "metric": metric_name,
    "split": split_name,
    "mean": strings.mean_value,
    "mean_interval": strings.mean_interval,
    "signed": strings.signed_difference,
    "interval": strings.difference_interval,
    "model": strings.model_title,
}
