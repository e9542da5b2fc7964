"""One look at an archive: counters, their history, the daemon's own word, Redis, the machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import orjson

from crawler.settings import CrawlSettings
from crawler.status import report
from exchange import machine
from exchange.errors import NotFound
from exchange.lock import daemon_lock
from exchange.project import Project, runs_with
from exchange.store import history
from exchange.store.history import CounterSample
from exchange.store.spool import FILE, Spool
from kkoracle.status import queue, stages
from kkoracle.status.eta import EtaRange, eta
from kkoracle.status.problems import find_problems
from kkoracle.status.records import DaemonState, MachineStatus, Status, TrainingStatus

METRICS = "metrics.jsonl"
TAIL_BYTES = 128 * 1024  # of metrics.jsonl: some 800 steps


def newest_run(directory: Path, now: float) -> TrainingStatus | None:
    """The run that wrote last; None while there is none."""
    found = runs_with(directory, METRICS)
    if not found:
        return None
    path = found[0] / METRICS
    entries = _read_tail(path)
    steps = [entry for entry in entries if "loss" in entry and "step" in entry]
    if not steps:
        return None
    last = steps[-1]
    step, epoch = int(last["step"]), float(last.get("epoch") or 0)
    total = round(step * _planned_epochs(path.parent) / epoch) if epoch else 0
    finished = (path.parent / "summary.json").exists()
    valid = [float(entry["valid_loss"]) for entry in entries if "valid_loss" in entry]
    silent = max(0.0, now - _modified_at(path))
    return TrainingStatus(
        path.parent.name,
        step,
        max(step, total),
        float(last["loss"]),
        valid[-1] if valid else None,
        silent,
        finished,
        None if finished else _time_left(steps, step, total),
    )


def _time_left(steps: Sequence[dict[str, Any]], step: int, total: int) -> EtaRange | None:
    """Seconds at the pace of the steps read; what a step lasts stands beside it."""
    at, points = 0.0, []
    for entry in steps:
        at += float(entry.get("seconds") or 0)
        points.append((at, float(entry["step"])))
    return eta(points, total, at) if total > step else None


def _planned_epochs(run: Path) -> float:
    try:
        return float(orjson.loads((run / "run.json").read_bytes())["settings"]["epochs"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _read_tail(path: Path) -> list[dict[str, Any]]:
    """The last entries; a line cut short by a kill, or by where we begin, is left out."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = file.read().splitlines()
    entries = []
    for line in lines:
        try:
            entry = orjson.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # thrown away this very moment
        return 0.0


STALE_S = 5.0  # what the daemon wrote before its lock was taken is of an earlier one


def read_status(project: Project, archive: str, now: float | None = None) -> Status:
    """Read where things stand; nothing is started, nothing is written.

    Args:
        now: seconds since the epoch; default: the clock's.

    Raises:
        UserError: nothing was crawled yet.
    """
    now = time.time() if now is None else now
    directory = project.archive_dir(archive)
    if not (directory / FILE).exists():
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    counters, spool_past = _read_spool(directory)
    pages, pages_past = report.read_counters(directory), report.read_history(directory)
    daemon, since = _read_daemon(directory, now)
    ways = stages.stage_progress(pages, pages_past, counters, spool_past, now)
    found = Status(
        archive=archive,
        daemon=daemon,
        counters=counters,
        pages=pages,
        crawl=_daemon_state(directory, now, since) if daemon else DaemonState(),
        stages=ways,
        pairs=stages.pair_progress(counters, spool_past, now),
        queue=queue.read_queue(project),
        machine=_machine_status(project, directory),
        training=newest_run(directory, now),
    )
    return replace(found, problems=find_problems(found))


def _read_spool(directory: Path) -> tuple[dict[str, int], list[CounterSample]]:
    spool = Spool.read(directory)
    try:
        return spool.counters(), history.read_samples(spool.db)
    except OperationalError:  # the file is being created this very moment
        return {}, []
    finally:
        spool.close()


def _read_daemon(directory: Path, now: float) -> tuple[bool, float]:
    """Whether a daemon holds its lock, and for how many seconds it has."""
    lock = daemon_lock(directory)
    return not lock.is_free(shared=True), max(0.0, now - lock.path.stat().st_mtime)


def _daemon_state(directory: Path, now: float, running_s: float) -> DaemonState:
    said = report.read_heartbeat(directory)
    if said is None or now - said.at > running_s + STALE_S:
        return DaemonState(silent_s=running_s, running_s=running_s)
    return DaemonState(
        pid=said.pid,
        silent_s=max(0.0, now - said.at),
        running_s=running_s,
        rate=said.rate,
        allowed=said.allowed,
        pause_s=max(0.0, said.pause_s),
        hold=said.hold,
        fetching=said.fetching,
        next_look=said.next_look,
    )


def _machine_status(project: Project, directory: Path) -> MachineStatus:
    taken = sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
    least = project.config.table("crawl", CrawlSettings).min_free_mb
    free = shutil.disk_usage(directory).free
    return MachineStatus(taken // 10**6, free // 2**20, least, machine.usable_memory() // 10**6)
