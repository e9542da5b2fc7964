"""The loop without a preflight, on the dataset and settings of a folder: run `bare`."""

from __future__ import annotations

import sys
from pathlib import Path

from exchange import mlx_runtime, models
from exchange.settings import Config
from trainer import runs
from trainer.dataset import Manifest, read_split
from trainer.lora.loop import Loop
from trainer.runs import Run
from trainer.settings import Train
from trainer.training import make_data
from trainer.watch import Watcher


def main(folder: Path) -> None:
    config = Config.find(folder / "kkoracle.toml")
    settings = config.table("train", Train)
    archive = folder / "data" / "paper"
    manifest = Manifest.read(archive / "dataset")
    model_folder = Path(config.table("model", models.Model).name)
    begun = runs.begun("bare", model_folder, manifest.sha, settings)
    run = Run(archive, "bare")
    run.begin(begun, restart=True)
    model, tokenizer = mlx_runtime.load(model_folder)
    splits = read_split(archive / "dataset", "train"), read_split(archive / "dataset", "valid")
    data = make_data(model, tokenizer, splits, settings, Watcher(), early_stop=False)
    Loop(model, tokenizer, data, settings, run, Watcher()).fit(begun)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
