"""The peer: mlx_lm.lora as it is, one epoch. `python -m bench.train.theirs FOLDER LAYERS`

Only its `train` is on the clock: neither loading nor reading the data. There is no validation set,
so it validates nothing.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.train.workload import ALPHA, BATCH, RANK, SEED, TrainWorkload
from exchange.inference import runtime


def main(folder: Path, layers: int) -> None:
    """Train, and say what it took."""
    runtime.require_mlx()
    import mlx_lm
    from mlx_lm import lora
    from mlx_lm.tuner import trainer

    material = TrainWorkload.read(folder)
    steps = material.rows // BATCH  # what is left over it never sees
    taken: dict[str, Any] = {}

    def timed(train: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            used = time.process_time()
            train(**given)
            taken["cpu_s"] = time.process_time() - used
            taken["padding"] = padding(given["train_dataset"])

        return run

    def padding(rows: Any) -> float:
        batches = [*trainer.iterate_batches(rows, BATCH, 2048)]
        computed = sum(batch.shape[0] * (batch.shape[1] - 1) for batch, _ in batches)
        return 1 - sum(int((ends[:, 1] - 1).sum().item()) for _, ends in batches) / computed

    lora.train = timed(lora.train)
    given = {
        "model": str(material.model),
        "data": str(material.data),
        "train": True,
        "num_layers": layers,
        "batch_size": BATCH,
        "iters": steps,
        "mask_prompt": True,
        "lora_parameters": {"rank": RANK, "dropout": 0.0, "scale": ALPHA / RANK},
        "learning_rate": 1e-4,
        "seed": SEED,
        "steps_per_report": 10**6,
        "save_every": 10**6,
        "adapter_path": str(folder / "theirs"),
    }
    lora.run(types.SimpleNamespace(**{**lora.CONFIG_DEFAULTS, **given}))
    told = {**taken, "samples": steps * BATCH, "version": mlx_lm.__version__}
    sys.stdout.write("\n" + orjson.dumps(told).decode() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
