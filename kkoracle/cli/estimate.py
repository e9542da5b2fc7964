"""What the whole way will take on this machine: days, disk, memory, energy, by stage.

Each stage reckons for itself, from what is stored, else from what was tried, else from what is
assumed, and says which; this module only puts them together.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from exchange import machine
from exchange.display import format_bytes, format_count, format_range
from exchange.errors import FAILED, OK, UserError
from exchange.inference import models
from exchange.machine import PowerSettings, kwh
from exchange.project import Project
from exchange.store.spool import FILE, Spool

KEYS_BYTES = 2.7e9  # of a 7B model with 32 rows of 650 tokens; less with fewer rows
WEIGHTS_BYTES = 4.2e9  # of a 7B model in 4 bit
SPARE = 1e9  # of disk that no estimate should use up


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """One stage; pairs are the least and the most."""

    name: str
    work: str
    seconds: tuple[float, float]
    disk_bytes: float
    memory_bytes: float
    kwh: tuple[float, float]
    basis: str


@dataclass(frozen=True, slots=True)
class ProjectEstimate:
    """All stages of one archive, and what this machine has."""

    archive: str
    stages: tuple[StageEstimate, ...]
    watts: float
    free_bytes: int
    memory_bytes: int
    already_bytes: int  # on the disk by now; part of the stages' figures

    @property
    def seconds(self) -> tuple[float, float]:
        """Crawling and generating go on together, training after them."""
        crawl, generate, train = (stage.seconds for stage in self.stages)
        return max(crawl[0], generate[0]) + train[0], max(crawl[1], generate[1]) + train[1]

    @property
    def disk_bytes(self) -> float:
        return sum(stage.disk_bytes for stage in self.stages)

    @property
    def fits(self) -> bool:
        """Whether disk and memory are enough."""
        needed = max(stage.memory_bytes for stage in self.stages)
        more = self.disk_bytes - self.already_bytes
        return needed <= self.memory_bytes and more + SPARE <= self.free_bytes


def estimate_project(project: Project, archive: str) -> ProjectEstimate:
    """Reckon; nothing is fetched, loaded or written.

    Raises:
        UserError: a profile, a setting or a stored file is unusable, or it stands for several
            archives.
    """
    from crawler import profiles
    from crawler.settings import CrawlSettings
    from crawler.status import estimate as crawling
    from exchange.planning.context import PlanSettings
    from trainer.training.preflight import estimate as training
    from trainer.training.settings import TrainSettings
    from workers import estimate as generating

    directory = project.newspaper_dir(archive)
    watts = project.config.table("power", PowerSettings).watts
    crawl_settings = project.config.table("crawl", CrawlSettings)
    language_model = project.config.table("model", models.ModelSettings)
    profile = profiles.load(crawl_settings, archive, imported=directory.exists())
    crawl = crawling.estimate_crawl(directory, profile, crawl_settings, dt.date.today())
    counters, pace, rephrased = _spool_counters(directory)
    generate = generating.estimate_generation(
        directory,
        counters,
        crawl.stories,
        pace,
        wordings=project.config.table("plan", PlanSettings).wordings,
        rephrased=rephrased,
    )
    weights = _weights_bytes(project, language_model)
    train = training.estimate_training(
        directory,
        project.config.table("train", TrainSettings),
        generate.pairs,
        _parameter_count(weights, language_model),
    )
    disk_of_model = 0.0 if weights else WEIGHTS_BYTES
    stages = (
        _stage_estimate(
            "crawl",
            f"{_range_text(crawl.pages)} pages, one each {crawl.delay:g} s",
            crawl.seconds,
            crawl.disk_bytes,
            3e8,
            0.2 * watts,
            crawl.basis,
        ),
        _stage_estimate(
            "generate",
            f"{_range_text(generate.tasks)} tasks, {_range_text(generate.pairs)} pairs in all",
            generate.seconds,
            generate.disk_bytes + disk_of_model,
            (weights or WEIGHTS_BYTES) + KEYS_BYTES,
            watts,
            generate.basis,
        ),
        _stage_estimate(
            "train",
            f"{_range_text(train.steps)} steps, {_range_text(train.tokens)} tokens",
            train.seconds,
            train.disk_bytes,
            train.memory_bytes,
            watts,
            train.basis,
        ),
    )
    at = directory if directory.exists() else project.data.parent
    already = sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
    return ProjectEstimate(
        archive,
        stages,
        watts,
        shutil.disk_usage(_nearest_existing(at)).free,
        machine.total_memory(),
        already,
    )


def print_estimate(found: ProjectEstimate, *, as_json: bool) -> int:
    """Print a table and what it is reckoned from, or one JSON object; returns the exit code."""
    if as_json:
        told: dict[str, Any] = {
            **asdict(found),
            "seconds": found.seconds,
            "disk_bytes": found.disk_bytes,
            "fits": found.fits,
        }
        print(orjson.dumps(told).decode())  # noqa: T201
        return OK if found.fits else FAILED
    from rich.console import Console
    from rich.table import Table as Grid

    console = Console(highlight=False, soft_wrap=True)
    table = Grid(box=None, pad_edge=False)
    for name in ("stage", "work", "time", "disk", "memory", "energy"):
        table.add_column(
            name, justify="left" if name in ("stage", "work") else "right", no_wrap=name != "work"
        )
    for stage in found.stages:
        energy = f"{_range_text(stage.kwh)} kWh" if stage.kwh[1] >= 0.01 else "-"
        table.add_row(
            stage.name,
            stage.work,
            format_range(stage.seconds),
            format_bytes(stage.disk_bytes),
            format_bytes(stage.memory_bytes),
            energy,
        )
    console.print(table)
    for stage in found.stages:
        console.print(f"{stage.name}: {stage.basis}", markup=False)
    if not found.seconds[1]:
        console.print(
            "in all: nothing can be told yet; begin (`kkoracle crawl`, Ctrl-C after some minutes), "
            "then ask again"
        )
        return OK if found.fits else FAILED
    least, most = (sum(stage.kwh[end] for stage in found.stages) for end in (0, 1))
    console.print(
        f"in all {format_range(found.seconds)} (pages are fetched while pairs are generated), "
        f"{format_bytes(found.disk_bytes)} of disk ({format_bytes(found.free_bytes)} free), "
        f"{_range_text((least, most))} kWh at {found.watts:g} W (\\[power] watts)"
    )
    if not found.fits:
        console.print(
            f"[yellow]note:[/] this machine has {format_bytes(found.memory_bytes)} of memory and "
            f"{format_bytes(found.free_bytes)} of free disk: not enough for all of it"
        )
    return OK if found.fits else FAILED


def _stage_estimate(
    name: str,
    work: str,
    seconds: tuple[float, float],
    disk: float,
    memory_bytes: float,
    watts: float,
    basis: str,
) -> StageEstimate:
    return StageEstimate(
        name,
        work,
        seconds,
        disk,
        memory_bytes,
        (kwh(watts, seconds[0]), kwh(watts, seconds[1])),
        basis,
    )


def _spool_counters(directory: Path) -> tuple[dict[str, int], float | None, int]:
    from crawler.extract.forecast import tasks_per_hour

    if not (directory / FILE).exists():
        return {}, None, 0
    spool = Spool.read(directory)
    try:
        (rephrased,) = spool.db.execute(
            "SELECT COUNT(*) FROM tasks WHERE kind='rephrase' AND state<>'stale'"
        ).fetchone()
        return spool.counters(), tasks_per_hour(spool), rephrased
    finally:
        spool.close()


def _weights_bytes(project: Project, settings: models.ModelSettings) -> float | None:
    """Of the model's folder, if it is here already."""
    folder = Path(settings.name).expanduser()
    if not folder.exists():
        folder = models.converted_folder(settings, project.models)
    try:
        models.check_folder(folder)
    except UserError:
        return None
    return float(sum(path.stat().st_size for path in folder.glob("model*.safetensors")))


def _parameter_count(size: float | None, settings: models.ModelSettings) -> float | None:
    """How many weights a folder of this size holds, roughly."""
    if size is None:
        return None
    bits = settings.bits if not Path(settings.name).expanduser().exists() else 16
    return size * 8 / (bits * 1.125 if bits and bits < 16 else 16)


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _range_text(pair: tuple[float, float]) -> str:
    least, most = map(format_count, pair)
    return most if least == most else f"{least} to {most}"
