"""A model, an adapter and a run of them, as `kkoracle train` would leave them; no MLX here."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from trainer.training import run_config, runs
from trainer.training.settings import TrainSettings

ARCHIVE, RUN = "paper", "default"
HIDDEN, LAYERS, HEADS, RANK = 512, 6, 8, 16
WORDS = (60, 90)  # of a question
TOKENS = 48  # of an answer


@dataclass(frozen=True, slots=True)
class ServeWorkload:
    """Folders and questions."""

    project: Path
    model: Path
    adapter: Path
    questions: list[str]


def make(folder: Path, count: int, seed: int) -> ServeWorkload:
    """Write everything; the same seed, the same bytes."""
    from tools.tiny_model import SAMPLE, make_tiny_model

    luck = random.Random(seed)
    words = sorted({word for text in SAMPLE for word in text.split()})
    questions = [" ".join(luck.choices(words, k=luck.randint(*WORDS))) for _ in range(count)]
    model = make_tiny_model(
        folder / "model", [*SAMPLE, *questions], hidden=HIDDEN, layers=LAYERS, heads=HEADS
    )
    settings = TrainSettings.model_validate({"rank": RANK, "alpha": 2 * RANK, "seed": seed})
    project = folder / "project"
    run = runs.TrainingRun(project / "data" / ARCHIVE, RUN)
    run.begin(run_config.make_run_config(str(model), model, "none", settings), restart=False)
    _write_adapter(run.folder, model, settings)
    (project / "kkoracle.toml").write_text(
        f'data = "data"\narchive = "{ARCHIVE}"\n[model]\nname = "{model}"\n'
        f"[serve]\nport = 0\nwidth = 32\nmax_tokens = {TOKENS}\n"
    )
    return ServeWorkload(project, model, run.folder, questions)


def _write_adapter(folder: Path, model: Path, settings: TrainSettings) -> None:
    """LoRA beside every linear layer, strong enough to change what is said."""
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file

    rng = np.random.default_rng(settings.seed)
    arrays = {}
    with safe_open(model / "model.safetensors", "np") as weights:
        for name in weights.keys():  # noqa: SIM118  # no mapping, though it looks like one
            if not name.endswith("proj.weight"):
                continue
            out, into = weights.get_slice(name).get_shape()
            for part, shape in (("lora_a", (into, RANK)), ("lora_b", (RANK, out))):
                values = rng.standard_normal(shape, np.float32) / np.sqrt(np.float32(shape[0]))
                arrays[f"{name.removesuffix('weight')}{part}"] = (0.3 * values).astype(np.float32)
    save_file(arrays, folder / "adapters.safetensors")
    lora = {"rank": RANK, "scale": settings.alpha / RANK, "dropout": 0.0}
    (folder / "adapter_config.json").write_text(
        json.dumps({"fine_tune_type": "lora", "num_layers": LAYERS, "lora_parameters": lora})
    )
