"""Every validation row's loss under every run's best checkpoint, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from bench.processes import mlx_environment
from bench.sweep.fixture import SweepProject

ROWS = 32  # computed together


def losses(project: SweepProject, runs: list[str]) -> tuple[dict[str, list[float]], list[str]]:
    """By run; and the story cluster of each row."""
    command = [sys.executable, "-m", "bench.sweep.judge", str(project.archive), *runs]
    told = orjson.loads(
        subprocess.run(command, env=mlx_environment(), stdout=subprocess.PIPE, check=True).stdout
    )
    return told["losses"], told["clusters"]


def main(archive: Path, runs: list[str]) -> None:
    """Print them as one JSON object."""
    from exchange.inference.engine import TUNED
    from exchange.inference.mlx.base_and_adapter import load_models
    from kkoracle.demo.plan import MODEL
    from trainer import tokenization
    from trainer.dataset import read_split
    from trainer.training.loss import Loss, row_losses
    from trainer.training.runs import TrainingRun

    rows = read_split(archive / "dataset", "valid")
    found = {}
    for name in runs:
        loaded = load_models(MODEL, TrainingRun(archive, name).adapter("best"))
        model, tokenizer = loaded.models[TUNED], loaded.tokenizer
        samples = [tokenization.tokenize_sample(tokenizer, row.id, row.turns()) for row in rows]
        found[name] = row_losses(Loss(model), samples, ROWS)
    told = {"losses": found, "clusters": [row.cluster for row in rows]}
    sys.stdout.write(orjson.dumps(told).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
