"""Status: what `kkoracle status` says, and pages and pairs over time. Looks again by itself.

Plots and framed pages too: a run's report, and the dataset's figures. Those are made of the
newspaper's and models' words, so each is served as a page without rights: no script, no request,
no access to the studio around it.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from exchange.errors import NotFound, UserError
from exchange.project import runs_with
from kkoracle.status import Status, read_status
from kkoracle.status.console import status_lines
from kkoracle.studio import charts
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.tabs import own_html
from trainer.dataset import archive_stats
from trainer.training.runs import TrainingRun

REPORT = "evaluation/report.html"  # in a run's folder
CACHE_S = 300.0  # the dataset's figures are counted anew after so long


def runs_with_report(archive_dir: Path) -> list[str]:
    """Runs with a report, the newest first."""
    return [folder.name for folder in runs_with(archive_dir, REPORT)]


def report_html(archive_dir: Path, run: str) -> str:
    """The report of a run as HTML.

    Raises:
        UserError: no such run, or it has none.
    """
    path = TrainingRun(archive_dir, run).folder / REPORT  # refuses a name that leads elsewhere
    try:
        return path.read_text("utf-8")
    except OSError:
        raise NotFound(f"run {run!r} has no report: `kkoracle evaluate` writes it") from None


class DatasetPage:
    """The page of `kkoracle dataset stats --html`, counted when asked for and kept for a while."""

    def __init__(self, archive_dir: Path) -> None:
        self._directory = archive_dir
        self._lock = threading.Lock()
        self._page, self._at = "", 0.0

    def html(self) -> str:
        """Raises UserError when nothing was crawled yet."""
        with self._lock:
            if not self._page or time.monotonic() - self._at > CACHE_S:
                found = archive_stats.read_statistics(
                    self._directory, None, lambda what, done, total: None
                )
                self._page, self._at = archive_stats.render_page(found), time.monotonic()
            return self._page


EVERY_S = 10  # between two looks of a page that stands open


def build_status(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    screen = own_html(elem_id="status")
    plots = own_html(elem_id="progress")

    def show() -> tuple[str, str]:
        try:
            found = read_status(studio.project, studio.archive)
            return _status_html(found), render(
                "plots", charts.progress_charts(studio.directory, found)
            )
        except UserError as error:
            return note(error), ""

    page.load(show, None, [screen, plots], api_name="status")
    # Without the queue, so that a model that is answering does not hold it up.
    gr.Timer(EVERY_S).tick(
        show, None, [screen, plots], api_visibility="private", queue=False, show_progress="hidden"
    )


def _status_html(found: Status) -> str:
    notes = [
        note(one.text, "note" if one.code == "stopped" else "wrong") for one in found.problems
    ] or [note("no action needed", "fine")]
    looked = ("looked at", time.strftime("%H:%M:%S"))
    return "".join(notes) + render("facts", [*status_lines(found), looked])


# Plots: coverage by year, reasons of rejection, losses of a run.


def build_plots(studio: Studio, tab: gr.Tab) -> None:
    """Put the tab on the page; what it shows is counted when it is first looked at."""
    again = gr.Button("Count again", size="sm", scale=0)
    drawn = own_html(elem_id="counted")
    run = gr.Dropdown(charts.runs_with_metrics(studio.directory), label="Run")
    losses = own_html(elem_id="losses")

    def count() -> list[Any]:
        names = charts.runs_with_metrics(studio.directory)
        first = names[0] if names else None
        return [_plots_html(studio), gr.update(choices=names, value=first), loss(first)]

    def loss(name: str | None) -> str:
        if not name:
            return note("no run yet: `kkoracle train` begins one")
        try:
            return charts.loss_chart(studio.directory, name) or note("no step yet")
        except UserError as error:
            return note(error, "wrong")

    again.click(count, None, [drawn, run, losses], api_name="plots")
    run.input(loss, [run], [losses], api_name="losses")
    tab.select(count, None, [drawn, run, losses], api_visibility="private")


def _plots_html(studio: Studio) -> str:
    """What can be drawn; pairs may be here although no page is, as after an import."""
    drawn: list[str] = []
    for draw in (
        lambda: charts.coverage_charts(studio.project, studio.archive),
        lambda: charts.rejection_charts(read_status(studio.project, studio.archive)),
    ):
        try:
            drawn += draw()
        except UserError as error:
            drawn.append(note(error))
    return render("plots", drawn)


# Report: what an evaluation found, and what the dataset is made of, each in a frame of its own.

DATASET = "the dataset"


def build_report(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    which = gr.Dropdown(_report_choices(studio), value=None, label="Page")
    frame = own_html(elem_id="report")

    def prepare() -> list[Any]:
        choices = _report_choices(studio)
        first = choices[0][1] or None
        return [gr.update(choices=choices, value=first), show(first)]

    def show(run: str | None) -> str:
        if run is None:
            return note("no report yet: `kkoracle evaluate` writes one")
        address = f"/pages/report/{quote(run, safe='')}" if run else "/pages/dataset"
        title = f"report of run {run}" if run else DATASET
        return render("frame", address, title)

    page.load(prepare, None, [which, frame], api_visibility="private")
    which.input(show, [which], [frame], api_name="report")


def _report_choices(studio: Studio) -> list[tuple[str, str]]:
    runs = runs_with_report(studio.directory)
    return [*((f"report of run {run}", run) for run in runs), (DATASET, "")]
