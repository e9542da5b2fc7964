"""Base and tuned model side by side from one copy of the weights.

The tuned model is a second tree of modules over the same arrays; only what the adapter brings is
its own. So the base answers bit for bit as without an adapter, whatever kind of run it was (a DoRA
layer at scale 0 would not), and nothing has to be switched between two requests. The same adapter
at several strengths is as many trees over the same arrays again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_lm.tuner.dora import DoRAEmbedding, DoRALinear
from mlx_lm.tuner.utils import load_adapters

from exchange.errors import ModelUnfit
from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED, scaled_name
from exchange.inference.runtime import LoadedModels
from exchange.inference.weights import check_weights


def load_models(
    folder: Path, adapter: Path | None = None, scales: Sequence[float] = (1.0,)
) -> LoadedModels:
    """The base, and with an adapter the tuned model beside it, ready to run on this machine.

    A fully tuned run has weights of its own in every layer that it tuned: those are in memory
    once more for each strength.

    Args:
        scales: strengths of the adapter, see `scale_adapter`. The first one is the tuned model,
            the others are models of the names that `scaled_name` gives them.

    Raises:
        ModelUnfit: the folder or the adapter cannot be loaded, in one line.
    """
    base, tokenizer = runtime.load(folder)
    context = runtime.context_length(base)
    tuned = tuned_models(base, adapter, scales) if adapter is not None else {}
    return LoadedModels({**tuned, BASE: base}, tokenizer, context)


def tuned_models(base: Any, adapter: Path, scales: Sequence[float] = (1.0,)) -> dict[str, Any]:
    """The tuned model over a base that is loaded, by name: see `load_models`.

    Raises:
        ModelUnfit: the adapter cannot be loaded, in one line.
    """
    whole = share_weights(base)
    check_weights(adapter)
    try:
        load_adapters(whole, str(adapter))
    except (ValueError, OSError, KeyError, RuntimeError, TypeError) as error:
        raise ModelUnfit(
            f"cannot load the adapter in {adapter}: {runtime.first_lines(error)}"
        ) from None
    if runtime.on_cpu():
        whole.update(tree_map(_widened, whole.parameters()))
    models = {}
    for number, scale in enumerate(scales):
        models[scaled_name(scale) if number else TUNED] = tuned = share_weights(whole)
        scale_adapter(tuned, base, scale)
        tuned.eval()
        mx.eval(tuned.parameters())
    return models


def scale_adapter(tuned: Any, base: Any, scale: float) -> None:
    """Let the adapter count in part: every weight moves that share of its way from the base's.

    W = base + scale * (tuned - base), whatever kind of run it was: what is learned and what is
    forgotten both grow with it (Wortsman et al. 2022, arXiv 2109.01903). 0 is the base, 1 the
    tuned model as it is, which is then left alone.

    Args:
        tuned: base and adapter; changed.
        base: the same model without it.
    """
    if scale == 1:
        return
    before = dict(tree_flatten(base.parameters()))
    adapted: set[str] = set()
    for name, module in tuned.named_modules():
        if not hasattr(module, "lora_a"):
            continue
        adapted.add(name)
        if isinstance(module, DoRALinear | DoRAEmbedding):
            _scale_dora(module, scale)
        else:
            module.scale *= scale
    if not adapted:  # of a full run, which has the base's own names
        moved = {
            name: _between(before[name], array, scale)
            for name, array in tree_flatten(tuned.parameters())
            if before.get(name) is not array
        }
        tuned.update(tree_unflatten(list(moved.items())))


def _between(base: mx.array, tuned: mx.array, scale: float) -> mx.array:
    wide = base.astype(mx.float32)
    return (wide + scale * (tuned.astype(mx.float32) - wide)).astype(tuned.dtype)


def _scale_dora(layer: Any, scale: float) -> None:
    """The same for a layer whose rows also have a length of their own, `m`.

    Its row i is m/n * (W + c B A), n the norm of what stands in the brackets. Between the base's W
    and that lies a * (W + c b B A) with a = 1 - scale + scale * m/n and b = scale * m/n / a: the
    same kind of row, with B stretched by b and the length a times its norm.
    """
    linear = isinstance(layer, DoRALinear)
    weight = layer._dequantized_weight() if linear else layer.embedding.weight
    weight = weight.astype(mx.float32)

    def norms() -> mx.array:
        low, high = layer.lora_a.astype(mx.float32), layer.lora_b.astype(mx.float32)
        added = layer.scale * (low @ high)
        return mx.linalg.norm(weight + (added.T if linear else added), axis=1)

    ratio = layer.m.astype(mx.float32) / norms()
    length = 1 - scale + scale * ratio
    stretch = scale * ratio / length
    kind = layer.m.dtype
    if linear:
        layer.lora_b = (layer.lora_b * stretch[None]).astype(layer.lora_b.dtype)
    else:
        layer.lora_a = (layer.lora_a * stretch[:, None]).astype(layer.lora_a.dtype)
    layer.m = (length * norms()).astype(kind)


def share_weights(model: Any) -> Any:
    """A copy of the modules over the very same arrays."""
    same = {id(array): array for _, array in tree_flatten(model.parameters())}
    return copy.deepcopy(model, same)


def _widened(array: mx.array) -> mx.array:
    """In float32, which alone is fast on a CPU; the very same array if it is so already."""
    return array.astype(mx.float32) if array.dtype in (mx.float16, mx.bfloat16) else array
