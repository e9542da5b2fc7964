"""Our gradient beside the plainest one. `python -m bench.train.plain FOLDER ROWS`

The reference is mlx-lm's own adapter layers, one row at a time, without a pad, with all logits; the
sum of all rows is divided by the number of answer tokens. Ours computes the same rows in batches,
and once more from the cache cache, where only the upper half of the layers learns.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from bench.train.workload import ALPHA, BATCH, RANK, SEED, TrainWorkload
from exchange.inference import runtime
from trainer import tokenization
from trainer.training.settings import TrainSettings


def main(folder: Path, count: int) -> None:
    """Compare, and say the largest difference of any number of the gradient."""
    material = TrainWorkload.read(folder)
    model, tokenizer = runtime.load(material.model)
    from trainer.training.activation_cache import FOLDER, ActivationCache

    rows = [
        tokenization.tokenize_sample(tokenizer, "", turns)
        for turns, _ in zip(material.turns(), range(count), strict=False)
    ]
    half = len(model.layers) // 2
    bare, _tokenizer = runtime.load(material.model)
    told = {"grad_max_diff": _difference(model, bare, rows, 0, None)}
    kept = ActivationCache(folder / FOLDER, "bench", model, half)
    kept.fill(rows)
    told["grad_max_diff_cached"] = _difference(
        model, runtime.load(material.model)[0], rows, half, kept
    )
    sys.stdout.write(orjson.dumps(told).decode() + "\n")


def _difference(
    model: Any, bare: Any, rows: list[tokenization.TokenizedSample], layers: int, cache: Any
) -> float:
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten, tree_map
    from mlx_lm.tuner.utils import linear_to_lora_layers

    from trainer.training import adapter, batches
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    config = adapter.attach(model, _settings(layers))
    for _, module in model.named_modules():
        if "lora_b" in module:  # at zero, nothing would reach the other half of the adapter
            module.lora_b = mx.random.normal(module.lora_b.shape) * 0.02
    bare.freeze()
    linear_to_lora_layers(bare, config["num_layers"], config["lora_parameters"])
    bare.load_weights(tree_flatten(model.trainable_parameters()), strict=False)
    targets = sum(row.targets for row in rows)

    def alone(row: tokenization.TokenizedSample) -> Any:
        logits = bare(mx.array([row.tokens[:-1]]))[0, row.start - 1 :]
        return nn.losses.cross_entropy(logits, mx.array(row.tokens[row.start :]), reduction="sum")

    def added(total: Any, more: Any) -> Any:
        total = tree_map(mx.add, total, more) if total is not None else more
        mx.eval(total)
        return total

    reference = ours = None
    plainly = nn.value_and_grad(bare, lambda row: alone(row) / targets)
    for row in rows:
        reference = added(reference, plainly(row)[1])
    loss = Loss(model, cache)
    compute = loss_and_gradient(loss)
    for chosen in batches.epoch_batches([row.length for row in rows], BATCH, SEED, 0):
        ours = added(ours, compute(loss.batch([rows[i] for i in chosen]), 1 / targets)[1])
    theirs = dict(tree_flatten(reference))
    return max(scalar(mx.abs(a - theirs[k]).max()) for k, a in tree_flatten(ours))


def _settings(layers: int) -> TrainSettings:
    return TrainSettings.model_validate(
        {"rank": RANK, "alpha": ALPHA, "layers": layers, "seed": SEED}
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
