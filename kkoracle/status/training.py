"""How far the training run is that wrote last, from the files in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from exchange.files import read_tail
from exchange.project import runs_with
from kkoracle.status.eta import EtaRange, eta
from kkoracle.status.records import TrainingStatus

METRICS = "metrics.jsonl"
TAIL_BYTES = 128 * 1024  # of metrics.jsonl: some 800 steps


def newest_run(directory: Path, now: float) -> TrainingStatus | None:
    """The run that wrote last; None while there is none."""
    found = runs_with(directory, METRICS)
    return run_status(found[0], now) if found else None


def run_status(folder: Path, now: float) -> TrainingStatus | None:
    """How far one run is; None while it has not made a step."""
    path = folder / METRICS
    entries = _read_tail(path)
    steps = [entry for entry in entries if "loss" in entry and "step" in entry]
    if not steps:
        return None
    last = steps[-1]
    step, epoch = int(last["step"]), float(last.get("epoch") or 0)
    total = round(step * _planned_epochs(path.parent) / epoch) if epoch else 0
    finished = (path.parent / "summary.json").exists()
    valid = [float(entry["valid_loss"]) for entry in entries if "valid_loss" in entry]
    known: dict[str, Any] = next((e for e in reversed(entries) if "known" in e), {})
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
        int(known.get("known") or 0),
        int(known.get("facts") or 0),
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
    try:
        lines = read_tail(path, TAIL_BYTES).splitlines()
    except FileNotFoundError:
        return []
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
