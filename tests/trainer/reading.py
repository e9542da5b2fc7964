"""What a run has written so far, read while it runs and after."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import conftest
from tests.trainer.conftest import ONE_THREAD


def mlx_lm(*arguments: str, cwd: Path) -> str:
    """Run one of mlx-lm's own programs; returns what it printed."""
    done = conftest.run_python("-m", "mlx_lm", *arguments, cwd=cwd, **ONE_THREAD)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSON lines file without what no two runs have in common."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in found]


def summary(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return loaded


def result(folder: Path) -> dict[str, Any]:
    """All that a run leaves, as far as it should be equal."""
    told = summary(folder)
    unlearned = folder / "unlearned.jsonl"
    for name in ("seconds", "peak_bytes"):
        del told[name]
    return {
        "last": (folder / "adapters.safetensors").read_bytes(),
        "best": (folder / "best" / "adapters.safetensors").read_bytes(),
        "metrics": lines(folder / "metrics.jsonl"),
        "samples": lines(folder / "samples.jsonl"),
        "unlearned": lines(unlearned) if unlearned.exists() else [],
        "summary": told,
    }


def table(path: Path) -> list[dict[str, str]]:
    """A CSV file as spreadsheets take it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def steps(folder: Path) -> int:
    """How many are recorded."""
    path = folder / "metrics.jsonl"
    return path.read_bytes().count(b'"norm"') if path.exists() else 0


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait while the process lives, also on a machine that is busy with other things."""
    conftest.until(condition, 300, process, every=0.002)
