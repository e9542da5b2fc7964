"""What the report tells besides the evaluation itself: the run, its losses, the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from exchange.errors import UserError
from trainer.dataset import Manifest, archive_stats
from trainer.dataset.build import FOLDER
from trainer.training.runs import RunSummary, TrainingRun

T = TypeVar("T")
Point = tuple[int, float]  # step, nats per answer token
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Read from the data folder; each part may be missing."""

    summary: RunSummary | None = None
    train_losses: list[Point] = field(default_factory=list)
    valid_losses: list[Point] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)  # columns of the coverage
    stories: dict[str, list[int]] = field(default_factory=dict)  # year -> stories by section
    splits: dict[str, int] = field(default_factory=dict)  # rows of the dataset
    dataset_warnings: list[str] = field(default_factory=list)


def read_context(archive_dir: Path, run: str, progress: Progress) -> ReportContext:
    """What is there; an evaluation of rows from elsewhere has no archive around it."""
    of = TrainingRun(archive_dir, run)
    summary = _or_none(lambda: RunSummary.read(of.folder))
    train, valid = of.metrics()
    counted = _or_none(lambda: archive_stats.read_statistics(archive_dir, None, progress))
    sections, stories = archive_stats.coverage_grid(counted) if counted else ([], {})
    manifest = _or_none(lambda: Manifest.read(archive_dir / FOLDER))
    splits = {name: of["rows"] for name, of in manifest.splits.items()} if manifest else {}
    return ReportContext(
        summary, train, valid, sections, stories, splits, manifest.warnings if manifest else []
    )


def _or_none(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except UserError:
        return None
