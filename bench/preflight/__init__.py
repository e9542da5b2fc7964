"""Are memory and processor time as the preflight said? Two runs of two sizes, really trained.

The sample newspaper's facts. Small: the demo's model (2.2 million weights), batches of 8, all
layers. Large: a random model of 12 million weights with batches of 16, its upper half tuned over
the cache of the lower one. Forecasts are those of the run itself, made before its first step; what
it took is measured from outside.

memory_error    forecast of the arrays' peak over what the run had at its peak, minus 1
process_error   the same for the whole process, against what the system counted
cpu_error       forecast of processor time for the whole command over what it took, minus 1
worst           the largest of all these, without its sign; 0.25 is the limit
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from bench.registry import BenchSettings, Figures

SEED = 7
NOT_FOR_JUDGING = ("worst", "*_error")
ROWS, QUICK_ROWS = 600, 200


def options(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Both sizes in turn."""
    from bench.sweep.fixture import EPOCHS, make
    from kkoracle.demo.newspaper import build_newspaper
    from tools.tiny_model import make_tiny_model

    rows = QUICK_ROWS if settings.quick else ROWS
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = Path(name)
        settings.log("making pairs, dataset and a larger model")
        project = make(folder, rows * EPOCHS // 2, SEED)
        texts = [
            paragraph for story in build_newspaper(SEED).stories for paragraph in story.paragraphs
        ]
        large = make_tiny_model(folder / "large", texts, vocab=4096, hidden=384, layers=6, heads=8)
        for size, flags in (
            ("small", ("--layers", "0", "--batch", "8", "--epochs", "4")),
            ("large", ("--layers", "3", "--batch", "16", "--epochs", "2", "--model", str(large))),
        ):
            settings.log(f"training the {size} one")
            _, cpu = project.kkoracle("train", "--name", size, "--yes", *flags)
            figures |= _compare(size, project.archive / "runs" / size, cpu)
    errors = [abs(value) for key, value in figures.items() if key.endswith("_error")]
    return {"rows": project.rows, "worst": max(errors), **figures}


def _compare(size: str, run: Path, cpu: float) -> Figures:
    told: dict[str, Any] = orjson.loads((run / "preflight.json").read_bytes())["forecast"]
    took: dict[str, Any] = orjson.loads((run / "summary.json").read_bytes())
    resident = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    resident *= 1 if sys.platform == "darwin" else 1024
    foretold = told["ahead"]["cpu_s"] + told["before"]["cpu_s"]
    return {
        f"{size}_memory_error": round(told["peak_bytes"] / took["peak_bytes"] - 1, 3),
        f"{size}_process_error": round(told["process_bytes"] / resident - 1, 3),
        f"{size}_cpu_error": round(foretold / cpu - 1, 3),
        f"{size}_peak_mb": round(took["peak_bytes"] / 1e6, 1),
        f"{size}_process_mb": round(resident / 1e6, 1),
        f"{size}_cpu_s": round(cpu, 1),
        f"{size}_steps": took["steps"],
        f"{size}_steps_tried": told["steps_tried"],
        f"{size}_measuring_cpu_s": round(told["probe"]["cpu_s"], 1),
    }
