"""Every validation row's loss under every run's best checkpoint, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from bench.sweep.fixture import SweepProject
from exchange.inference import openblas

ROWS = 32  # computed together


def losses(desk: SweepProject, runs: list[str]) -> tuple[dict[str, list[float]], list[str]]:
    """By run; and the story cluster of each row."""
    env = openblas.environment({**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    command = [sys.executable, "-m", "bench.sweep.judge", str(desk.archive), *runs]
    told = orjson.loads(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)
    return told["losses"], told["clusters"]


def main(archive: Path, runs: list[str]) -> None:
    """Print them as one JSON object."""
    from exchange.inference import runtime
    from kkoracle.demo.plan import MODEL
    from trainer import tokenization
    from trainer.dataset import read_split
    from trainer.training.loss import Loss, row_losses
    from trainer.training.runs import TrainingRun

    rows = read_split(archive / "dataset", "valid")
    found = {}
    for name in runs:
        model, tokenizer = runtime.load(MODEL, TrainingRun(archive, name).adapter("best"))
        samples = [tokenization.tokenize_sample(tokenizer, row.id, row.turns()) for row in rows]
        found[name] = row_losses(Loss(model), samples, ROWS)
    told = {"losses": found, "clusters": [row.cluster for row in rows]}
    sys.stdout.write(orjson.dumps(told).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
