"""Our loop on the same rows. `python -m bench.train.ours FOLDER LAYERS EPOCHS NAME [RECIPE]`

The clock runs from reading the rows to the last step, but for what the peer does not do: loading,
and the validation (of one row) before the first step. With upper layers only, filling the
activation cache is part of the first epoch; with recipe distil, asking the teacher is.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from bench.train.workload import ALPHA, BATCH, PER_CHUNK, RANK, SEED, TrainWorkload
from exchange.inference import runtime
from trainer import tokenization
from trainer.training.callbacks import Callback, StepMetrics, ValidationMetrics
from trainer.training.plan import RunPlan
from trainer.training.run_config import RunConfig
from trainer.training.runs import TrainingRun
from trainer.training.settings import TrainSettings

NEVER = 10**6


class StepTimer(Callback):
    """Reads the processor's clock after every step."""

    def __init__(self) -> None:
        self.read: list[float] = []
        self._filling = False

    def on_train_begin(self, plan: RunPlan, resumed_at: int) -> None:
        self.read = [time.process_time()]
        self._filling = plan.cached or bool(plan.teacher_rows)

    def on_validation(self, validation: ValidationMetrics) -> None:
        if validation.step == 0 and not self._filling:
            self.read = [time.process_time()]

    def on_step(self, step: StepMetrics) -> None:
        self.read.append(time.process_time())


def main(folder: Path, layers: int, epochs: int, name: str, recipe: str = "sft") -> None:
    """Train, and say what it took."""
    material = TrainWorkload.read(folder)
    model, tokenizer = runtime.load(material.model)
    from trainer.training.activation_cache import FOLDER, ActivationCache
    from trainer.training.batches import TrainingData
    from trainer.training.loop import TrainingLoop

    settings = TrainSettings.model_validate(
        {
            "recipe": recipe,
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
    clock, used = StepTimer(), time.process_time()
    rows = [
        tokenization.tokenize_sample(tokenizer, str(number), turns)
        for number, turns in enumerate(material.turns())
    ]
    reading = time.process_time() - used
    data = TrainingData(rows, rows[:1], rows[:1], [], 0, settings.max_length)
    kept = (
        ActivationCache(folder / FOLDER, "bench", model, layers)
        if layers < len(model.layers)
        else None
    )
    teacher = None
    if recipe == "distil":
        from trainer.training.teacher import FOLDER as TEACHER
        from trainer.training.teacher import Teacher

        asked = _after_chunks(rows, [tokenizer.encode(text) for text in material.chunks()])
        teacher = Teacher(folder / TEACHER, "bench", model, asked, settings)
    loop = TrainingLoop(
        model,
        tokenizer,
        data,
        settings,
        TrainingRun(folder, name),
        callback=clock,
        cache=kept,
        teacher=teacher,
    )
    seen = _count_rows(loop)
    loop.fit(RunConfig("bench", "bench", "bench", settings.model_dump()))
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
        "trunk_mb": round(loop.plan.cache_bytes / 1e6, 1),
    }
    sys.stdout.write("\n" + orjson.dumps(told).decode() + "\n")


def _after_chunks(
    rows: list[tokenization.TokenizedSample], chunks: list[list[int]]
) -> list[list[tokenization.TokenizedSample]]:
    """The same rows after their chunks, as the teacher is asked."""
    return [
        [
            replace(row, tokens=[*chunk, *row.tokens], start=row.start + len(chunk))
            for row in rows[number * PER_CHUNK : (number + 1) * PER_CHUNK]
        ]
        for number, chunk in enumerate(chunks)
    ]


def _count_rows(loop: Any) -> Counter[str]:
    """How often each row goes into a gradient."""
    seen: Counter[str] = Counter()
    compute = loop.train_step

    def train_step(groups: list[list[tokenization.TokenizedSample]], *rest: Any) -> Any:
        seen.update(row.id for rows in groups for row in rows)
        return compute(groups, *rest)

    loop.train_step = train_step
    return seen


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
