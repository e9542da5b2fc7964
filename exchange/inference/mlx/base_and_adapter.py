"""Base and tuned model side by side from one copy of the weights.

The tuned model is a second tree of modules over the same arrays; only what the adapter brings is
its own. So the base answers bit for bit as without an adapter, whatever kind of run it was (a DoRA
layer at scale 0 would not), and nothing has to be switched between two requests.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map
from mlx_lm.tuner.utils import load_adapters

from exchange.errors import ModelUnfit
from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.runtime import LoadedModels
from exchange.inference.weights import check_weights


def load_models(folder: Path, adapter: Path | None = None) -> LoadedModels:
    """The base, and with an adapter the tuned model beside it, ready to run on this machine.

    A fully tuned run has weights of its own in every layer that it tuned: those are in memory
    twice.

    Raises:
        ModelUnfit: the folder or the adapter cannot be loaded, in one line.
    """
    base, tokenizer = runtime.load(folder)
    context = runtime.context_length(base)
    if adapter is None:
        return LoadedModels({BASE: base}, tokenizer, context)
    tuned = share_weights(base)
    check_weights(adapter)
    try:
        load_adapters(tuned, str(adapter))
    except (ValueError, OSError, KeyError, RuntimeError, TypeError) as error:
        raise ModelUnfit(
            f"cannot load the adapter in {adapter}: {runtime.first_lines(error)}"
        ) from None
    if runtime.on_cpu():
        tuned.update(tree_map(_widened, tuned.parameters()))
    tuned.eval()
    mx.eval(tuned.parameters())
    return LoadedModels({TUNED: tuned, BASE: base}, tokenizer, context)


def share_weights(model: Any) -> Any:
    """A copy of the modules over the very same arrays."""
    same = {id(array): array for _, array in tree_flatten(model.parameters())}
    return copy.deepcopy(model, same)


def _widened(array: mx.array) -> mx.array:
    """In float32, which alone is fast on a CPU; the very same array if it is so already."""
    return array.astype(mx.float32) if array.dtype in (mx.float16, mx.bfloat16) else array
