"""Plain ways to the same numbers, one row at a time, for the checks in `numbers.py`."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKS: list[Callable[[Path, Path], None]] = []
Check = Callable[[Path, Path], None]


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def tuned(model_folder: Path, **settings: Any) -> tuple[Any, Any]:
    """A model with an adapter that is no longer zero, and its tokenizer."""
    import mlx.core as mx

    from exchange.inference import runtime
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings

    model, tokenizer = runtime.load(model_folder)
    adapter.attach(model, TrainSettings(**settings))
    for _, module in model.named_modules():
        if "lora_b" in module:
            module.lora_b = mx.random.normal(module.lora_b.shape) * 0.05
    mx.eval(model.parameters())
    return model, tokenizer


def samples(count: int = 13) -> list[Any]:
    from trainer.tokenization import TokenizedSample

    rng = random.Random(3)
    made = []
    for number in range(count):
        length = rng.randint(6, 60)
        start = rng.randint(1, length - 2)
        made.append(
            TokenizedSample(str(number), [rng.randint(6, 250) for _ in range(length)], start, 9)
        )
    return made


def plain_loss(model: Any, sample: Any) -> Any:
    """One row alone, no pad anywhere, all logits: the sum over its answer in nats."""
    import mlx.core as mx
    import mlx.nn as nn

    logits = model(mx.array([sample.tokens[:-1]]))[0].astype(mx.float32)
    return nn.losses.cross_entropy(
        logits[sample.start - 1 :], mx.array(sample.tokens[sample.start :]), reduction="sum"
    )


def difference(one: Any, other: Any) -> float:
    import mlx.core as mx
    from mlx.utils import tree_flatten

    theirs = dict(tree_flatten(other))
    return max(float(mx.abs(a - theirs[k]).max().item()) for k, a in tree_flatten(one))


def batched_gradient(model: Any, rows: list[Any], size: int) -> tuple[float, Any]:
    import mlx.core as mx
    from mlx.utils import tree_map

    from trainer.training import batches
    from trainer.training.batches import make_batch
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    compute = loss_and_gradient(Loss(model))
    targets = sum(row.targets for row in rows)
    nats, grown = 0.0, None
    for chosen in batches.epoch_batches([row.length for row in rows], size, 1, 0):
        part, more = compute(make_batch([rows[i] for i in chosen]), 1 / targets)
        grown = tree_map(mx.add, grown, more) if grown else more
        nats += scalar(part)
    return nats, grown
