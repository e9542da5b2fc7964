"""Our loop on the same rows. `python -m bench.train.ours FOLDER LAYERS EPOCHS NAME`

The clock runs from reading the rows to the last step, but for what the peer does not do: loading,
and the validation (of one row) before the first step. With upper layers only, filling the trunk
cache is part of the first epoch.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from bench.train.material import ALPHA, BATCH, RANK, SEED, Material
from exchange import mlx_runtime
from trainer import chat
from trainer.runs import Begun, Run
from trainer.settings import Train
from trainer.watch import Plan, Step, Validation, Watcher

NEVER = 10**6


class Clock(Watcher):
    """Reads the processor's clock after every step."""

    def __init__(self) -> None:
        self.read: list[float] = []
        self._filling = False

    def planned(self, plan: Plan, resumed_at: int) -> None:
        self.read, self._filling = [time.process_time()], plan.trunk

    def validated(self, validation: Validation) -> None:
        if validation.step == 0 and not self._filling:
            self.read = [time.process_time()]

    def stepped(self, step: Step) -> None:
        self.read.append(time.process_time())


def main(folder: Path, layers: int, epochs: int, name: str) -> None:
    """Train, and say what it took."""
    material = Material.read(folder)
    model, tokenizer = mlx_runtime.load(material.model)
    from trainer.lora.data import Data
    from trainer.lora.loop import Loop
    from trainer.lora.trunk import FOLDER, Trunk

    settings = Train.model_validate(
        {
            "rank": RANK,
            "alpha": ALPHA,
            "layers": layers,
            "lr": 1e-4,
            "epochs": epochs,
            "batch": BATCH,
            "seed": SEED,
            "samples": 0,
            "evaluate_every": NEVER,
            "save_every": NEVER,
        }
    )
    clock, used = Clock(), time.process_time()
    rows = [
        chat.sample(tokenizer, str(number), turns) for number, turns in enumerate(material.turns())
    ]
    reading = time.process_time() - used
    data = Data(rows, rows[:1], rows[:1], [], 0, settings.max_length)
    kept = Trunk(folder / FOLDER, "bench", model, layers) if layers < len(model.layers) else None
    loop = Loop(model, tokenizer, data, settings, Run(folder, name), clock, trunk=kept)
    seen = _count_rows(loop)
    loop.fit(Begun("bench", "bench", "bench", settings.model_dump()))
    each = loop.plan.steps // epochs
    clock.read[0] -= reading
    told = {
        "cpu_s": [clock.read[(n + 1) * each] - clock.read[n * each] for n in range(epochs)],
        "samples": len(rows),
        "padding": loop.plan.padding,
        "dropped": sum(seen[row.id] < epochs for row in rows),
        "tokens": loop.plan.tokens,
        "answers": loop.plan.targets,
        "parameters": loop.plan.parameters,
        "trunk_mb": round(loop.plan.trunk_bytes / 1e6, 1),
    }
    sys.stdout.write("\n" + orjson.dumps(told).decode() + "\n")


def _count_rows(loop: Any) -> Counter[str]:
    """How often each row goes into a gradient."""
    seen: Counter[str] = Counter()
    compute = loop.descend

    def descend(groups: list[list[chat.Sample]], *rest: Any) -> Any:
        seen.update(row.id for rows in groups for row in rows)
        return compute(groups, *rest)

    loop.descend = descend
    return seen


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
