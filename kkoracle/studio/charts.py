"""What the plots show: an archive's history, coverage, rejections and runs, drawn."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crawler import profiles
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from crawler.status import coverage as counted
from crawler.status import report
from exchange.html.axes import Points
from exchange.html.plots import Band, Curve, bars, lines, ranked_bars
from exchange.project import Project, runs_with
from exchange.store import history
from exchange.store.history import CounterSample
from exchange.store.spool import Spool
from kkoracle.status.records import StageProgress, Status
from kkoracle.status.stages import CLOSED, ENDED
from trainer.training.runs import TrainingRun

if TYPE_CHECKING:
    from markupsafe import Markup

REPORT = "evaluation/report.html"  # in a run's folder
ACCEPTED, REJECTED = "pairs.accepted", "pairs.rejected"


def progress_charts(directory: Path, found: Status) -> list[Markup]:
    """Pages and pairs over time, with where they will be when the stage ends."""
    now = time.time()
    spool = Spool.read(directory)
    try:
        spool_past = history.read_samples(spool.db)
    finally:
        spool.close()
    pages = _points(report.read_history(directory), ENDED, now)
    tasks = found.stage("tasks")
    kept = _points(spool_past, (ACCEPTED,), now)
    dropped = _points(spool_past, (REJECTED,), now)
    ended = sum(found.counters.get(name, 0) for name in CLOSED)
    share = found.pairs.accepted / ended if ended else 0.0
    return [
        lines(
            "Pages",
            [Curve("fetched", pages), *_forecast_line(found.stage("pages"), now, pages, 0)],
            times=True,
            band=_end_band(found.stage("pages"), now),
        ),
        lines(
            "Pairs",
            [
                Curve("kept", kept, 2),
                Curve("rejected", dropped, 3),
                *_forecast_line(tasks, now, kept, 2, share),
            ],
            times=True,
            band=_end_band(tasks, now),
        ),
    ]


def coverage_charts(project: Project, archive: str) -> list[Markup]:
    """Stories and pages by year. Reads every story once.

    Raises:
        UserError: nothing crawled yet, or the profile cannot be read.
    """
    settings = project.config.table("crawl", CrawlSettings)
    profile = profiles.load(settings, archive, imported=True)
    site = CrawlScope(profile, settings.since, settings.until, settings.weekdays)
    years = counted.measure_coverage(project.archive_dir(archive), site, dt.date.today()).years
    stories = {name: (year.stories - year.held, year.held) for name, year in years.items()}
    pages = {
        name: tuple(year.pages[state] for state in ("done", "waiting", "failed"))
        for name, year in years.items()
    }
    return [
        bars("Stories by year", ("read", "held back"), stories),
        bars("Pages by year", ("fetched", "waiting", "failed"), pages),
    ]


def rejection_charts(found: Status) -> list[Markup]:
    """Why pairs were rejected, why tasks failed."""
    failed = {
        name.removeprefix("failed."): count
        for name, count in found.counters.items()
        if name.startswith("failed.")
    }
    return [
        ranked_bars("Pairs rejected, by reason", found.pairs.reasons),
        ranked_bars("Tasks failed, by reason", failed),
    ]


def runs_with_metrics(directory: Path) -> list[str]:
    """Runs that have begun, the newest first."""
    return [folder.name for folder in runs_with(directory, "metrics.jsonl")]


def loss_chart(directory: Path, run: str) -> Markup:
    """Training and validation loss of one run.

    Raises:
        UsageError: a name that is none.
    """
    steps, valid = TrainingRun(directory, run).metrics()
    return lines(
        f"Loss of run {run}, nats per answer token, by step",
        [Curve("training", steps), Curve("validation", valid, 3, dots=True)],
        zero=False,
    )


def _points(past: Sequence[CounterSample], names: Sequence[str], now: float) -> Points:
    """The last sample stands until now: a halt is seen as a level line."""
    points = [(sample.at, float(sample.count(*names))) for sample in past]
    if points and points[-1][0] < now:
        points.append((now, points[-1][1]))
    return points


def _forecast_line(
    stage: StageProgress, now: float, points: Points, colour: int, each: float = 1.0
) -> list[Curve]:
    """A dashed line to where it is expected to end; each thing done counts `each`."""
    if stage.left is None or not stage.open or not points:
        return []
    last = points[-1][1]
    end = (now + stage.left[1], last + stage.open * each)
    return [Curve("expected", [(now, last), end], colour, dashed=True)]


def _end_band(stage: StageProgress, now: float) -> Band | None:
    if stage.left is None or not stage.open:
        return None
    return Band(now + stage.left[0], now + stage.left[2], "end, likely")
