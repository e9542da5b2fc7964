"""From base and adapter to one plain model, as transformers names and lays out its weights.

Sums are taken in float32 and rounded once, to the type in which the base is stored; a base of 4
bit is dequantized first, since fused onto 4 bit most of an adapter is rounded away
(ml-explore/mlx-lm#1172). Arrays are loaded, summed and written part by part, so that a model
larger than the memory can be fused.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_lm.tuner.utils import load_adapters
from mlx_lm.utils import dequantize_model, load_model, make_shards, quantize_model, save_config

from exchange.display import format_bytes
from exchange.errors import CannotWrite, DiskFull, ModelUnfit
from exchange.inference import models, runtime
from exchange.inference.mlx.base_and_adapter import scale_adapter, share_weights
from exchange.inference.weights import check_weights

SHARD_GB = 2  # of one file of weights: what is in memory at a time
GROUP = 64  # weights that share one scale when quantised; mlx-lm's default
_FLOATS = (mx.float32, mx.float16, mx.bfloat16)


def write_fused(
    base: Path,
    adapter: Path,
    folder: Path,
    *,
    bits: int = 0,
    scale: float = 1.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Write config and weights of the fused model into an existing folder.

    Args:
        bits: quantise what was fused, for mlx-lm alone; 0: not.
        scale: strength of the adapter; see `scale_adapter`.
        progress: called with bytes written and bytes in all.

    Returns:
        The type of the weights, such as "bfloat16".

    Raises:
        UserError: model or adapter cannot be read, or the disk is full.
    """
    runtime.require_mlx()
    check_weights(base, "model*.safetensors")
    check_weights(adapter)
    try:
        missing = models.older_names(models.read_config(base))
        model, config = load_model(base, lazy=True, model_config=missing)
        kind = _stored_type(model)
        before = share_weights(model)
        load_adapters(model, str(adapter))
        scale_adapter(model, before, scale)
        del before
    except (ValueError, OSError, KeyError, RuntimeError, TypeError) as error:
        raise ModelUnfit(f"cannot load {base} with adapter {adapter}: {error}") from None
    _merge(model, kind)
    for name in ("quantization", "quantization_config"):
        config.pop(name, None)
    for name in ("torch_dtype", "dtype"):
        if name in config:
            config[name] = _name(kind)
    if bits:
        model, config = quantize_model(model, config, GROUP, bits)
    weights = dict(tree_flatten(model.parameters()))
    del model
    _need_room(folder, sum(array.nbytes for array in weights.values()))
    try:
        _write(folder, weights, progress)
        save_config(config, folder / "config.json")
    except (RuntimeError, OSError) as error:
        raise CannotWrite(
            f"cannot write the fused model ({error}): free some disk space, then run the same "
            "command again"
        ) from None
    return _name(kind)


def _need_room(folder: Path, size: int) -> None:
    """Say at once what would otherwise be known after an hour."""
    free = shutil.disk_usage(folder).free
    if free < size * 1.05:
        raise DiskFull(
            f"the fused model needs {format_bytes(size)} of disk and {format_bytes(free)} are "
            "free: "
            "make room, then run the same command again"
        )


def _merge(model: Any, kind: mx.Dtype) -> None:
    """Put a plain layer in the place of every adapted or quantised one; nothing is computed yet."""
    plain = []
    for name, module in model.named_modules():
        if hasattr(module, "fuse"):
            for inner in module.children().values():
                if hasattr(inner, "set_dtype"):
                    inner.set_dtype(mx.float32)
            fused = module.fuse(dequantize=True)
            fused.set_dtype(kind)
            plain.append((name, fused))
    if plain:
        model.update_modules(tree_unflatten(plain))
    dequantize_model(model)
    # A fully tuned run is trained, and kept, in float32.
    model.update(
        tree_map(lambda a: a.astype(kind) if a.dtype in _FLOATS else a, model.parameters())
    )


def _stored_type(model: Any) -> mx.Dtype:
    """The floating type of most of the base's arrays: of weights, scales and norms."""
    counts = Counter(
        array.dtype for _, array in tree_flatten(model.parameters()) if array.dtype in _FLOATS
    )
    return counts.most_common(1)[0][0]


def _write(
    folder: Path, weights: dict[str, mx.array], progress: Callable[[int, int], None]
) -> None:
    """Files of weights and their index, in the layout of Hugging Face."""
    total = sum(array.nbytes for array in weights.values())
    shards = make_shards(weights, SHARD_GB)
    weights.clear()  # the shards hold them now; each is let go as it is written
    count, done = len(shards), 0
    places: dict[str, str] = {}
    for number in range(count):
        name = f"model-{number + 1:05d}-of-{count:05d}.safetensors"
        name = name if count > 1 else "model.safetensors"
        shard, shards[number] = shards[number], {}
        mx.save_safetensors(str(folder / name), shard, {"format": "pt"})
        places |= dict.fromkeys(shard, name)
        done += sum(array.nbytes for array in shard.values())
        progress(done, total)
    if count > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def _name(kind: mx.Dtype) -> str:
    return str(kind).rpartition(".")[2]
