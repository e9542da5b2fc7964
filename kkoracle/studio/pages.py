"""Pages of our own that the studio shows in a frame: a run's report, and the dataset's figures.

They are made of the newspaper's and models' words, so each is served as a page without rights: no
script, no request, no access to the studio around it.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from exchange.errors import NotFound
from exchange.project import runs_with
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
