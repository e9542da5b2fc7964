"""The learning rate of a step: a straight rise, then half a cosine down to nothing, if wanted."""

from __future__ import annotations

import math

from trainer.training.recipes import Decay


def warmup_steps(steps: int, share: float) -> int:
    """At least one step when any is asked for: Adam's first moments are the least reliable."""
    return min(steps, math.ceil(steps * share)) if share else 0


def learning_rate(
    step: int, steps: int, peak: float, warmup: int, decay: Decay = "cosine"
) -> float:
    """The rate of `step`, which counts from 0 to `steps` - 1.

    The last step still has a little: a rate of zero would compute a batch for nothing.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if decay == "constant":
        return peak
    part = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * part))
