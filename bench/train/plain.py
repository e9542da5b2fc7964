"""Our gradient beside the plainest one. `python -m bench.train.plain FOLDER ROWS`

The reference takes one row at a time, without a pad, computes all logits, and divides the sum of
all rows by the number of answer tokens. Ours computes the same rows in batches, and once more from
the trunk cache, where only the upper half of the layers learns.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from bench.train.material import ALPHA, BATCH, RANK, SEED, Material
from exchange import mlx_runtime
from trainer import chat
from trainer.settings import Train


def main(folder: Path, count: int) -> None:
    """Compare, and say the largest difference of any number of the gradient."""
    material = Material.read(folder)
    model, tokenizer = mlx_runtime.load(material.model)
    from trainer.lora.trunk import FOLDER, Trunk

    rows = [chat.sample(tokenizer, "", turns)
            for turns, _ in zip(material.turns(), range(count), strict=False)]  # fmt: skip
    half = len(model.layers) // 2
    told = {"grad_max_diff": _difference(model, rows, 0, None)}
    kept = Trunk(folder / FOLDER, "bench", model, half)
    kept.fill(rows)
    told["grad_max_diff_cached"] = _difference(model, rows, half, kept)
    sys.stdout.write(orjson.dumps(told).decode() + "\n")


def _difference(model: Any, rows: list[chat.Sample], layers: int, trunk: Any) -> float:
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten, tree_map

    from trainer.lora import adapter, batches
    from trainer.lora.loss import Loss, gradient, number

    adapter.attach(model, _settings(layers))
    for _, module in model.named_modules():
        if "lora_b" in module:  # at zero, nothing would reach the other half of the adapter
            module.lora_b = mx.random.normal(module.lora_b.shape) * 0.02
    targets = sum(row.targets for row in rows)

    def alone(row: chat.Sample) -> Any:
        logits = model(mx.array([row.tokens[:-1]]))[0, row.start - 1 :]
        return nn.losses.cross_entropy(logits, mx.array(row.tokens[row.start :]), reduction="sum")

    def added(total: Any, more: Any) -> Any:
        total = tree_map(mx.add, total, more) if total is not None else more
        mx.eval(total)
        return total

    reference = ours = None
    plainly = nn.value_and_grad(model, lambda row: alone(row) / targets)
    for row in rows:
        reference = added(reference, plainly(row)[1])
    loss = Loss(model, trunk)
    compute = gradient(loss)
    for chosen in batches.epoch([row.length for row in rows], BATCH, SEED, 0):
        ours = added(ours, compute(loss.batch([rows[i] for i in chosen]), 1 / targets)[1])
    theirs = dict(tree_flatten(reference))
    return max(number(mx.abs(a - theirs[k]).max()) for k, a in tree_flatten(ours))


def _settings(layers: int) -> Train:
    return Train.model_validate({"rank": RANK, "alpha": ALPHA, "layers": layers, "seed": SEED})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
