"""What the plots show: an archive's history, coverage, rejections and runs, drawn."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import orjson

from crawler import profiles
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from crawler.status import coverage as counted
from crawler.status import report
from exchange.html.axes import Points
from exchange.html.plots import Band, Curve, bars, lines, ranked_bars
from exchange.project import Project
from exchange.store import history
from exchange.store.history import CounterSample
from exchange.store.spool import Spool
from kkoracle.status.records import StageProgress, Status
from kkoracle.status.stages import CLOSED, ENDED

if TYPE_CHECKING:
    from markupsafe import Markup

REPORT = "evaluation/report.html"  # in a run's folder
POINTS_KEPT = 8_000  # of a curve in memory: many times what a plot has columns
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


class MetricsFile:
    """A run's metrics.jsonl, of which each look reads only what has come since the last one.

    Any thread may use it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._file, self._read = 0, 0  # which file it is, and bytes of it that were read
        self.losses: list[tuple[float, float]] = []  # step, nats per answer token
        self.validations: list[tuple[float, float]] = []
        self.known: list[tuple[float, float]] = []  # step, facts; of a run until learned
        self.facts = 0

    def update(self) -> Self:
        """Read on; a file that was written anew, as a resumed run does, is read anew."""
        with self._lock, suppress(FileNotFoundError), self._path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_ino != self._file or about.st_size < self._read:
                self._begin()
                self._file = about.st_ino
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")  # a line that is being written waits
            self._read += len(whole) + bool(whole)
            for line in whole.splitlines():
                self._add(line)
            while len(self.losses) > POINTS_KEPT:
                self.losses = _halved(self.losses)
        return self

    def _add(self, line: bytes) -> None:
        try:
            entry = orjson.loads(line)
            step = float(entry["step"])
        except (ValueError, KeyError, TypeError):
            return
        for name, points in (
            ("loss", self.losses),
            ("valid_loss", self.validations),
            ("known", self.known),
        ):
            if isinstance(value := entry.get(name), int | float):
                points.append((step, float(value)))
        self.facts = entry.get("facts") or self.facts


def _halved(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each two that follow each other as one between them."""
    pairs = zip(points[::2], points[1::2], strict=False)
    odd = points[-1:] if len(points) % 2 else ()
    return [((a + b) / 2, (one + other) / 2) for (a, one), (b, other) in pairs] + [*odd]


def loss_chart(runs: Mapping[str, MetricsFile]) -> Markup:
    """Losses of one run, or of several in one plot, each in a colour of its own."""
    if len(runs) == 1:
        ((run, found),) = runs.items()
        return lines(
            f"Loss of run {run}, nats per answer token, by step",
            [
                Curve("training", found.losses),
                Curve("validation", found.validations, 3, dots=True),
            ],
            zero=False,
        )
    curves = []
    for colour, (run, found) in enumerate(runs.items()):
        other = found.validations
        curves.append(Curve("" if other else run, found.losses, colour, faint=bool(other)))
        curves.append(Curve(run if other else "", other, colour, dots=True))
    title = "Loss, nats per answer token, by step: training (faint), validation (dots)"
    return lines(title, curves, zero=False)


def known_chart(found: MetricsFile) -> Markup:
    """Facts known by step, of a run until learned; "" of any other."""
    return lines(f"Facts known, of {found.facts:,}, by step", [Curve("known", found.known, 2)])


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
