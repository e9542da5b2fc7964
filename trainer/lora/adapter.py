"""The adapter: low-rank layers beside frozen weights, in mlx-lm's own file format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner import trainer as mlx_trainer
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import get_total_parameters

from exchange.errors import UsageError, UserError
from trainer.settings import Train

WEIGHTS = "adapters.safetensors"
CONFIG = "adapter_config.json"


def attach(model: Any, settings: Train) -> dict[str, Any]:
    """Freeze the model and put an adapter beside every linear layer of its last layers.

    The adapter starts as an exact zero: the model answers as before until the first step.

    Returns:
        What mlx-lm's readers need to know, for `adapter_config.json`.

    Raises:
        UsageError: more layers asked for than the model has.
    """
    layers = settings.layers or len(model.layers)
    if layers > len(model.layers):
        raise UsageError(f"[train] layers = {layers}: the model has only {len(model.layers)}")
    lora = {
        "rank": settings.rank,
        "scale": settings.alpha / settings.rank,
        "dropout": settings.dropout,
    }
    mx.random.seed(settings.seed)
    model.freeze()
    linear_to_lora_layers(model, layers, lora)
    mx.eval(model.trainable_parameters())
    return {"fine_tune_type": "lora", "num_layers": layers, "lora_parameters": lora}


def count(model: Any) -> tuple[int, int]:
    """Trainable parameters, and all."""
    trainable = sum(array.size for _, array in tree_flatten(model.trainable_parameters()))
    return trainable, get_total_parameters(model)


def save(folder: Path, model: Any, config: dict[str, Any]) -> None:
    """Write the adapter folder; each file is whole or not there.

    Raises:
        UserError: the disk is full; what stood there before is intact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    partial = folder / (CONFIG + ".partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(folder / CONFIG)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {folder}: {error.strerror}") from None
    save_arrays(folder / WEIGHTS, dict(tree_flatten(model.trainable_parameters())))


def save_arrays(
    path: Path, arrays: dict[str, mx.array], about: dict[str, str] | None = None
) -> None:
    """Write arrays beside their place first: a loaded file may still be mapped to memory.

    Raises:
        UserError: the disk is full or the folder not writable; the earlier file is intact.
    """
    partial = path.with_name(f"partial-{path.name}")  # MLX insists on the suffix .safetensors
    try:
        mx.save_safetensors(str(partial), arrays, about or {"format": "mlx"})
        partial.replace(path)
    except (RuntimeError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path.name} ({error}): free some disk space, then run the same command "
            "again; the checkpoint before is intact"
        ) from None


@contextmanager
def checkpointed(model: Any, wanted: bool) -> Iterator[None]:
    """Compute activations twice inside the block, if wanted.

    mlx-lm does it by changing the class of the layers, for every model of this process: so it is
    undone at the end.
    """
    kind = type(model.layers[0])
    before = kind.__call__
    if wanted:
        mlx_trainer.grad_checkpoint(model.layers[0])
    try:
        yield
    finally:
        kind.__call__ = before


@contextmanager
def base(model: Any) -> Iterator[None]:
    """Inside the block the model answers as if it had no adapter, bit for bit.

    Holds for LoRA layers; a DoRA layer would still apply its learned magnitude.
    """
    layers = [module for _, module in model.named_modules() if "lora_a" in module]
    scales = [module.scale for module in layers]
    for module in layers:
        module.scale = 0.0
    try:
        yield
    finally:
        for module, scale in zip(layers, scales, strict=True):
            module.scale = scale
