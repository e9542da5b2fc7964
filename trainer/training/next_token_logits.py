"""What a model says about the ten digits after each prompt: one pass, no generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from exchange.errors import TooLarge
from trainer.tokenization import TokenizedSample
from trainer.training import batches
from trainer.training.loss import Loss, make_batch

MAX_BATCH_TOKENS = 16384  # computed together, pads included: about 2 GB of activations at 7B


def next_token_logits(
    model: Any,
    prompts: Sequence[list[int]],
    digits: Sequence[int],
    rows: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray[Any, Any]:
    """The logits of `digits` after each prompt: (prompts, digits), float32.

    Args:
        rows: computed together at most; fewer of long prompts, so that memory is bounded.

    Raises:
        UserError: even one prompt does not fit the memory.
    """
    model.eval()
    loss, wanted = Loss(model), mx.array(list(digits))
    found = np.zeros((len(prompts), len(digits)), np.float32)
    done = 0
    for chosen in group_by_length([len(prompt) for prompt in prompts], rows):
        # The label itself is never computed, so any digit can stand in its place.
        some = [TokenizedSample("", [*prompts[i], digits[0]], len(prompts[i]), 1) for i in chosen]
        try:
            found[chosen] = np.array(loss.logits(make_batch(some))[:, wanted].astype(mx.float32))
        except RuntimeError as error:  # of MLX's allocator
            raise TooLarge(
                f"{len(prompts[chosen[0]])} tokens do not fit the memory ({error}): take a "
                "quantised base, or shorter guides"
            ) from None
        done += len(chosen)
        progress(done, len(prompts))
        if done < len(prompts):
            mx.clear_cache()
    return found


def group_by_length(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """All indices in batches by length, longest first, each within `TOKENS`."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    groups: list[list[int]] = []
    for index in order:
        last = groups[-1] if groups else []
        # The first of a group is its longest: what all of it is padded to.
        if (
            last
            and len(last) < rows
            and ((len(last) + 1) * batches.padded_length(lengths[last[0]]) <= MAX_BATCH_TOKENS)
        ):
            last.append(index)
        else:
            groups.append([index])
    return groups
