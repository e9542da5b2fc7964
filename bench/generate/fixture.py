"""What the pipeline needs around it: a spool with the chunks, Redis, feeder and collector."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.generate.timing import RunTiming
from bench.generate.workload import PROMPT, TOKENS_OUT, WARM_UP, GenerationWorkload
from bench.processes import mlx_environment
from exchange.errors import ProgramFailed
from exchange.project import Project
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import redis_for
from exchange.records import Chunk, Story, digest
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store.spool import Spool, open_tasks

ARCHIVE = "bench"
PATIENCE_S = 60.0  # for what takes a moment: queueing, collecting


@dataclass(frozen=True, slots=True)
class OverheadCpu:
    """Processor seconds of what the pipeline needs beside its worker."""

    redis_cpu_s: float
    flow_cpu_s: float  # the daemon's half: feeder, collector, reconcile
    done: int  # tasks with an accepted pair, or without one: all that the spool has closed


def open_project(folder: Path, material: GenerationWorkload) -> Project:
    """Settings and a spool in which every chunk is a task."""
    from workers.settings import current_recipe

    path = folder / "kkoracle.toml"
    path.write_text(
        f'archive = "{ARCHIVE}"\ndata = "{folder / "data"}"\n[model]\nname = "{material.model}"\n'
        f'[work]\nwidth = {material.width}\nmax_tokens = {TOKENS_OUT[1]}\nprompt = "{PROMPT}"\n',
        "utf-8",
    )
    config = Config.find(path, {})
    project = Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        lambda: current_recipe(config),
    )
    spool = Spool.open(project.archive_dir())
    spool.adopt_recipe(project.recipe().id)
    with spool.transaction():
        for number, text in enumerate(material.texts[:-WARM_UP]):
            story_id = digest(ARCHIVE, str(number))
            story = Story(
                id=story_id,
                url=f"http://x/{number}",
                archive=ARCHIVE,
                published="2010-01-05",
                section="",
                title="",
                author="",
                text=text,
            )
            chunk = Chunk(
                Chunk.make_id(story_id, text), story_id, 0, text, material.headers[number]
            )
            spool.put_page(str(number), "1", [(story, [chunk])])
    spool.close()
    return project


def run_pipeline(folder: Path, material: GenerationWorkload) -> tuple[RunTiming, OverheadCpu]:
    """All tasks through the queue and back into the spool."""
    import rq  # noqa: F401  # loaded before the clock runs, as in a daemon

    project = open_project(folder, material)
    count = len(material.texts) - WARM_UP
    with redis_for(project) as handle:
        redis = handle.connect()
        flow = QueuePump(project.archive_dir(), ARCHIVE, project.recipe(), handle.connect)
        used, served = time.process_time(), _served(redis.info("cpu"))
        flow.start()
        try:
            _until(lambda: bool(redis.llen("rq:queue:generate") >= count))
            worker = _worker(folder, handle.url)
            _until(lambda: not open_tasks(_counters(project)))
        finally:
            flow.stop()
        served = _served(redis.info("cpu")) - served
        used = time.process_time() - used
        redis.close()
    return worker, OverheadCpu(served, used, _counters(project).get("tasks.done", 0))


def _worker(folder: Path, url: str) -> RunTiming:
    env = {
        **mlx_environment(),
        "KKORACLE_CONFIG": str(folder / "kkoracle.toml"),
        "KKORACLE_WORKER_REDIS": url,
    }
    command = [sys.executable, "-m", "bench.generate.pipeline", str(folder)]
    ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise ProgramFailed(f"the worker ended with exit code {ended.returncode}: see above")
    return RunTiming.parse(ended.stdout)


def _served(told: dict[str, float]) -> float:
    return told["used_cpu_user"] + told["used_cpu_sys"]


def _counters(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    try:
        return spool.counters()
    finally:
        spool.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise ProgramFailed(f"the pipeline stood still for {PATIENCE_S:.0f} s")
        time.sleep(0.2)
