"""The adapter: what is learned beside frozen weights, in mlx-lm's own file format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.tuner import trainer as mlx_trainer
from mlx_lm.tuner.lora import LoRALinear
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import get_total_parameters

from exchange.errors import CannotWrite, UsageError
from exchange.files import atomic_path, write_atomic
from trainer.training.settings import TrainSettings, fine_tune

WEIGHTS = "adapters.safetensors"
CONFIG = "adapter_config.json"
STORED_DTYPE = "stored_as"  # number type of whole weights in the file, where they learn in another


def attach(model: Any, settings: TrainSettings) -> dict[str, Any]:
    """Freeze the model, and let learn what the recipe says, in its last layers.

    LoRA and DoRA stand beside every linear layer and start as an exact zero: the model answers as
    before until the first step. An adapter that is already there is taken away first. The recipe
    `full` lets the layers themselves learn.

    Returns:
        What mlx-lm's readers need to know, for `adapter_config.json`.

    Raises:
        UsageError: more layers asked for than the model has, or all weights of a quantised one.
    """
    layers = tuned_layers(model, settings)
    kind = fine_tune(settings.recipe)
    mx.random.seed(settings.seed)
    detach(model)
    model.freeze()
    if kind == "full":
        # Of all layers all weights: a model that knows nothing yet must learn its words too.
        stored = _let_learn(model.layers[-layers:] if settings.layers else [model])
        return {
            "fine_tune_type": kind,
            "num_layers": layers,
            "lora_parameters": None,
            STORED_DTYPE: stored,
        }
    lora = {
        "rank": settings.rank,
        "scale": settings.alpha / settings.rank,
        "dropout": settings.dropout,
    }
    linear_to_lora_layers(model, layers, lora, use_dora=kind == "dora")
    for module in model.modules():
        if type(module) is LoRALinear:
            module.__class__ = _FlatLoRALinear
    mx.eval(model.trainable_parameters())
    return {"fine_tune_type": kind, "num_layers": layers, "lora_parameters": lora}


class _FlatLoRALinear(LoRALinear):
    """mlx-lm's layer, with all rows of a batch as one matrix.

    So the adapter's gradient is one product, not one for each row and a sum of them; and the scale
    is put on the narrow side. The same numbers but for rounding, 4 % less time per step.
    """

    def __call__(self, x: mx.array) -> mx.array:
        flat = x.reshape(-1, x.shape[-1])
        narrow = (self.dropout(flat) @ self.lora_a) * self.scale
        out: mx.array = self.linear(flat) + (narrow @ self.lora_b).astype(x.dtype)
        return out.reshape(*x.shape[:-1], -1)


def tuned_layers(model: Any, settings: TrainSettings) -> int:
    """How many of the last layers learn.

    Raises:
        UsageError: more than the model has.
    """
    if settings.layers > len(model.layers):
        raise UsageError(
            f"[train] layers = {settings.layers}: the model has only {len(model.layers)}"
        )
    return settings.layers or len(model.layers)


def _let_learn(layers: list[Any]) -> str:
    """Unfreeze whole layers, in float32; returns the type they had.

    A step of 2e-5 is lost when it is added to a weight in bfloat16, whose next number is 8e-5
    away from 0.02.
    """
    if any("scales" in module for layer in layers for module in layer.modules()):
        raise UsageError(
            "recipe full changes the weights themselves, and these are quantised: set [model] "
            "bits = 0, or take another recipe"
        )
    had = str(tree_flatten(layers[0].parameters())[0][1].dtype).rpartition(".")[2]
    for layer in layers:
        layer.set_dtype(mx.float32)
        layer.unfreeze()
    return had


def detach(model: Any) -> bool:
    """Take LoRA or DoRA layers away, so that the base's own layers stand there again.

    Returns:
        Whether there were any.
    """
    beside = [
        (name, module.get("linear", module.get("embedding")))
        for name, module in model.named_modules()
        if "lora_a" in module
    ]
    if beside:
        model.update_modules(tree_unflatten(beside))
    return bool(beside)


def count_parameters(model: Any) -> tuple[int, int]:
    """Trainable parameters, and all."""
    trainable = sum(array.size for _, array in tree_flatten(model.trainable_parameters()))
    return trainable, get_total_parameters(model)


def save(folder: Path, model: Any, config: dict[str, Any]) -> None:
    """Write the adapter folder; each file is whole or not there.

    Raises:
        UserError: the disk is full; what stood there before is intact.
    """
    text = json.dumps(config, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomic(folder / CONFIG, text)
    stored = config.get(STORED_DTYPE)
    kind = getattr(mx, stored) if stored else None
    arrays = {
        name: array.astype(kind) if kind else array
        for name, array in tree_flatten(model.trainable_parameters())
    }
    save_arrays(folder / WEIGHTS, arrays)


def save_arrays(
    path: Path, arrays: dict[str, mx.array], about: dict[str, str] | None = None
) -> None:
    """Write arrays beside their place first: a loaded file may still be mapped to memory.

    Raises:
        UserError: the disk is full or the folder not writable; the earlier file is intact.
    """
    try:
        # MLX insists on the suffix .safetensors.
        with atomic_path(path, keep_suffix=True) as partial:
            mx.save_safetensors(str(partial), arrays, about or {"format": "mlx"})
    except (RuntimeError, CannotWrite) as error:
        raise CannotWrite(
            f"cannot write {path.name} ({error}): free some disk space, then run the same command "
            "again; the checkpoint before is intact"
        ) from None


@contextmanager
def gradient_checkpointing(model: Any, wanted: bool) -> Iterator[None]:
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
