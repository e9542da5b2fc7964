"""The loop without a preflight, on the dataset and settings of a folder: run `bare`."""

from __future__ import annotations

import sys
from pathlib import Path

from exchange.inference import models, runtime
from exchange.settings import Config
from trainer.dataset import Manifest, read_split
from trainer.training import run_config
from trainer.training.callbacks import Callback
from trainer.training.loop import TrainingLoop
from trainer.training.runs import TrainingRun
from trainer.training.settings import TrainSettings
from trainer.training.train import tokenize_splits


def main(folder: Path) -> None:
    config = Config.find(folder / "kkoracle.toml")
    settings = config.table("train", TrainSettings)
    archive = folder / "data" / "paper"
    manifest = Manifest.read(archive / "dataset")
    model_folder = Path(config.table("model", models.ModelSettings).name)
    config = run_config.make_run_config("bare", model_folder, manifest.sha, settings)
    run = TrainingRun(archive, "bare")
    run.begin(config, restart=True)
    model, tokenizer = runtime.load(model_folder)
    splits = read_split(archive / "dataset", "train"), read_split(archive / "dataset", "valid")
    data = tokenize_splits(model, tokenizer, splits, settings, Callback(), early_stop=False)
    TrainingLoop(model, tokenizer, data, settings, run).fit(config)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
