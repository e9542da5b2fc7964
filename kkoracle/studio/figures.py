"""What the plots show: an archive's history, coverage, rejections and runs, drawn."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path

from crawler import coverage as counted
from crawler import profiles, report
from crawler.links import Site
from crawler.settings import Crawl
from exchange import history
from exchange.history import Sample
from exchange.house import House
from exchange.spool import Spool
from kkoracle.status.records import Stage, Status
from kkoracle.status.stages import CLOSED, ENDED
from kkoracle.studio.plots import Band, Line, bars, lines
from kkoracle.studio.plots.bars import ranked
from kkoracle.studio.plots.lines import Points
from trainer.runs import RUNS, Run

ACCEPTED, REJECTED = "pairs.accepted", "pairs.rejected"


def progress(directory: Path, found: Status) -> str:
    """Pages and pairs over time, with where they will be when the stage ends."""
    now = time.time()
    spool = Spool.read(directory)
    try:
        spool_past = history.read(spool.db)
    finally:
        spool.close()
    pages = _points(report.read_history(directory), ENDED, now)
    tasks = found.stage("tasks")
    kept = _points(spool_past, (ACCEPTED,), now)
    dropped = _points(spool_past, (REJECTED,), now)
    ended = sum(found.counters.get(name, 0) for name in CLOSED)
    share = found.pairs.accepted / ended if ended else 0.0
    drawn = [
        lines(
            "Pages",
            [Line("fetched", pages), *_ahead(found.stage("pages"), now, pages, 0)],
            times=True,
            band=_end(found.stage("pages"), now),
        ),
        lines(
            "Pairs",
            [
                Line("kept", kept, 2),
                Line("rejected", dropped, 3),
                *_ahead(tasks, now, kept, 2, share),
            ],
            times=True,
            band=_end(tasks, now),
        ),
    ]
    return "".join(drawn)


def coverage(house: House, archive: str) -> str:
    """Stories and pages by year. Reads every story once.

    Raises:
        UserError: nothing crawled yet, or the profile cannot be read.
    """
    settings = house.config.table("crawl", Crawl)
    profile = profiles.load(settings, archive, imported=True)
    site = Site(profile, settings.since, settings.until, settings.weekdays)
    years = counted.look(house.archive_dir(archive), site, dt.date.today()).years
    stories = {name: (year.stories - year.held, year.held) for name, year in years.items()}
    pages = {
        name: tuple(year.pages[state] for state in ("done", "waiting", "failed"))
        for name, year in years.items()
    }
    return bars("Stories by year", ("read", "held back"), stories) + bars(
        "Pages by year", ("fetched", "waiting", "failed"), pages
    )


def rejections(found: Status) -> str:
    """Why pairs were rejected, why tasks failed."""
    failed = {
        name.removeprefix("failed."): count
        for name, count in found.counters.items()
        if name.startswith("failed.")
    }
    return ranked("Pairs rejected, by reason", found.pairs.reasons) + ranked(
        "Tasks failed, by reason", failed
    )


def runs(directory: Path) -> list[str]:
    """Runs that have begun, the newest first."""
    found = sorted(
        (directory / RUNS).glob("*/metrics.jsonl"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    return [path.parent.name for path in found]


def losses(directory: Path, run: str) -> str:
    """Training and validation loss of one run.

    Raises:
        UsageError: a name that is none.
    """
    steps, valid = Run(directory, run).metrics()
    return lines(
        f"Loss of run {run}, nats per answer token, by step",
        [Line("training", steps), Line("validation", valid, 3, dots=True)],
        zero=False,
    )


def _points(past: Sequence[Sample], names: Sequence[str], now: float) -> Points:
    """The last sample stands until now: a halt is seen as a level line."""
    points = [(sample.at, float(sample.count(*names))) for sample in past]
    if points and points[-1][0] < now:
        points.append((now, points[-1][1]))
    return points


def _ahead(stage: Stage, now: float, points: Points, colour: int, each: float = 1.0) -> list[Line]:
    """A dashed line to where it is expected to end; each thing done counts `each`."""
    if stage.left is None or not stage.open or not points:
        return []
    last = points[-1][1]
    end = (now + stage.left[1], last + stage.open * each)
    return [Line("expected", [(now, last), end], colour, dashed=True)]


def _end(stage: Stage, now: float) -> Band | None:
    if stage.left is None or not stage.open:
        return None
    return Band(now + stage.left[0], now + stage.left[2], "end, likely")
