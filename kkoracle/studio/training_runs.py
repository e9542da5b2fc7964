"""The training runs of an archive, as their folders tell: no web in here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from exchange.display import format_bytes, format_duration, format_range
from exchange.errors import NotFound, UserError
from exchange.files import read_tail
from exchange.project import Project, runs_with
from kkoracle.status.records import TrainingStatus
from kkoracle.status.training import METRICS, run_status
from kkoracle.studio import charts
from kkoracle.studio.commands import StartedCommand
from trainer.evaluate.report.side_by_side import ReportFigures
from trainer.evaluate.report.strings import model_title
from trainer.training.callbacks import SampleAnswer, UnlearnedFact
from trainer.training.cli import OPTIONS
from trainer.training.run_config import RunConfig
from trainer.training.runs import UNLEARNED, RunSummary, TrainingRun
from trainer.training.settings import TrainSettings

RECORD = "run.json"  # in a run's folder, from its beginning on
LIVE_S = 60  # a run that has written nothing for so long is not under way
TAIL_BYTES = 256 * 1024  # of samples.jsonl and unlearned.jsonl: what a page shows
R = TypeVar("R", SampleAnswer, UnlearnedFact)


@dataclass(frozen=True, slots=True)
class RunOverview:
    """One run as a list shows it; losses are nats per answer token."""

    name: str
    state: str  # training, finished, stopped, or "" before its first step
    config: RunConfig | None
    summary: RunSummary | None
    status: TrainingStatus | None
    written: float  # when its metrics were, in seconds since the epoch
    report: bool

    @property
    def recipe(self) -> str:
        """How it is taught, with what decides most."""
        settings = self.config.settings if self.config else {}
        parts = [str(settings.get("recipe", ""))]
        if settings.get("recipe") != "full" and "rank" in settings:
            parts.append(f"rank {settings['rank']}")
        if "lr" in settings:
            parts.append(f"lr {settings['lr']:g}")
        return ", ".join(filter(None, parts))

    @property
    def best(self) -> float | None:
        """The lowest validation loss, or the last one while it is not finished."""
        if self.summary:
            return self.summary.best_loss
        return self.status.valid_loss if self.status else None

    @property
    def left(self) -> str:
        """Time that it is going to take; "" where nobody knows."""
        if self.state != "training" or not self.status or not self.status.left:
            return ""
        return f"{format_range(self.status.left[::2])} left"


class RunMetrics:
    """The metrics of an archive's runs, each read on from where it was read to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[Path, charts.MetricsFile] = {}

    def read(self, name: str) -> charts.MetricsFile:
        """Those of one run, as they are now.

        Raises:
            UsageError: a name that is none.
        """
        path = TrainingRun(self._directory, name).folder / METRICS
        return self._files.setdefault(path, charts.MetricsFile(path)).update()


def read_runs(directory: Path, started: StartedCommand | None) -> Iterator[RunOverview]:
    """All runs that have begun, the one that wrote last first."""
    written = runs_with(directory, METRICS)
    begun = [one for one in runs_with(directory, RECORD) if one not in written]
    for folder in (*begun, *written):
        yield read_run(folder, started)


def read_run(folder: Path, started: StartedCommand | None) -> RunOverview:
    """One run, as far as its files tell; what is damaged is left out.

    Args:
        started: the `train` command that was last started here.
    """
    run = TrainingRun.at(folder)
    try:
        config, summary = run.config(), None
        summary = RunSummary.read(folder)
    except UserError:
        config, summary = None, None
    status = run_status(folder, time.time())
    written = time.time() - status.silent_s if status else 0.0
    ours = started if run_of(started) == folder.name else None
    if ours and (ours.running or ours.ended >= written):
        live = ours.running
    else:  # it runs in a terminal, or nobody saw how ours ended
        live = bool(status and status.silent_s < LIVE_S)
    if summary:
        state = "finished"
    elif live:
        state = "training"
    else:
        state = "stopped" if status else ""
    report = (folder / charts.REPORT).exists()
    return RunOverview(folder.name, state, config, summary, status, written, report)


def run_facts(run: RunOverview) -> Iterator[tuple[str, str]]:
    """What is known of a run, in words."""
    if run.config:
        yield "model", model_title(run.config.model)
        yield "dataset", run.config.dataset
    if run.status and not run.summary:
        yield "step", f"{run.status.step:,} of {run.status.steps:,}"
        yield "loss", f"{run.status.loss:.4f}"
        if run.status.valid_loss is not None:
            yield "validation", f"{run.status.valid_loss:.4f}"
    if run.status and run.status.facts:
        known, facts = run.status.known, run.status.facts
        yield "facts known", f"{known:,} of {facts:,} ({known / facts:.1%})"
    if not (end := run.summary):
        return
    yield "validation", f"{end.valid_before:.4f} before, {end.valid_after:.4f} after"
    yield "best", f"{end.best_loss:.4f} at step {end.best_step:,}"
    yield "on taught rows", f"{end.taught_before:.4f} before, {end.taught_after:.4f} after"
    yield "bits per character", f"{end.bits_before:.3f} before, {end.bits_after:.3f} after"
    yield "rows", f"{end.rows:,} in {end.epochs} epochs{', ended early' if end.early else ''}"
    yield "steps", f"{end.steps:,}, {end.tokens:,} tokens in {format_duration(end.seconds)}"
    yield "trained weights", f"{end.trainable:,} of {end.parameters:,}"
    yield "peak memory", format_bytes(end.peak_bytes)
    if end.facts:
        yield "not to be taught", f"{end.unlearned:,} facts"


def resume_words(project: Project, config: RunConfig) -> list[str]:
    """What a command has to be told so that the run goes on as it was begun.

    A recipe brings defaults of its own: beside another one than the settings', all is told.
    """
    now = project.config.table("train", TrainSettings).model_dump()
    told = config.settings
    other = told.get("recipe", now["recipe"]) != now["recipe"]
    words: list[str] = list(told.get("continue_words", ()))
    for name in OPTIONS:
        if name in told and (other or told[name] != now[name]):
            flag, value = name.replace("_", "-"), told[name]
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                words.append(f"--{flag}={value}")
    return words


def run_of(started: StartedCommand | None) -> str:
    """The run that a `train` command was about."""
    words = started.words if started else ()
    return next((word[7:] for word in words if word.startswith("--name=")), "")


def read_figures(folder: Path) -> tuple[ReportFigures | None, str]:
    """What its evaluation found, or why that cannot be read."""
    try:
        return ReportFigures.read(folder / "evaluation"), ""
    except NotFound:
        return None, ""
    except UserError as error:
        return None, str(error)


def read_samples(folder: Path) -> list[tuple[int, list[SampleAnswer]]]:
    """Sample answers by step, the last step first."""
    by_step: dict[int, list[SampleAnswer]] = {}
    for one in _last_records(folder / "samples.jsonl", SampleAnswer):
        by_step.setdefault(one.step, []).append(one)
    return sorted(by_step.items(), reverse=True)


def read_unlearned(folder: Path) -> list[UnlearnedFact]:
    """Facts that were taught in vain, of a run until learned; the least likely first."""
    return _last_records(folder / UNLEARNED, UnlearnedFact)


def _last_records(path: Path, kind: type[R]) -> list[R]:
    """The last records of a file of lines, those that are whole; of a missing file none."""
    found = []
    try:
        lines = read_tail(path, TAIL_BYTES).splitlines()
    except OSError:
        return []
    for line in lines:
        with suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(line, type=kind))
    return found
