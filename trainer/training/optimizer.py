"""One step of the optimizer: its learning rate, the gradient clipped, then AdamW in one graph.

An adapter is hundreds of small arrays, and AdamW a dozen operations on each: one by one they take
a twentieth of a small model's step. The graph is traced once, since its shapes never change.
"""

from __future__ import annotations

import math
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim

from trainer.training.settings import Decay, TrainSettings

Array = mx.array


class ClippedAdamW:
    """Changes the trainable weights of a model; `optimizer` holds its moments between steps."""

    def __init__(self, model: Any, settings: TrainSettings) -> None:
        self._model = model
        self._limit = settings.clip or math.inf
        # mlx's Adam leaves the bias correction out unless asked: first steps three times too long.
        self.optimizer = optim.AdamW(
            learning_rate=settings.lr, weight_decay=settings.weight_decay, bias_correction=True
        )
        self.optimizer.init(model.trainable_parameters())
        self._compiled = mx.compile(self._pure)

    def __call__(self, gradients: Any, rate: float) -> Array:
        """Take a step, lazily; returns the gradient's norm before clipping."""
        weights, self.optimizer.state, norm = self._compiled(
            gradients, self._model.trainable_parameters(), self.optimizer.state, mx.array(rate)
        )
        self._model.update(weights)
        return norm

    def _pure(
        self, gradients: Any, weights: Any, state: Any, rate: Array
    ) -> tuple[Any, Any, Array]:
        """All that changes comes in and goes out, so that a restored state is simply another."""
        gradients, norm = optim.clip_grad_norm(gradients, self._limit)
        self.optimizer.state = state
        self.optimizer.learning_rate = rate
        return self.optimizer.apply_gradients(gradients, weights), self.optimizer.state, norm


def warmup_steps(steps: int, share: float) -> int:
    """At least one step when any is asked for: Adam's first moments are the least reliable."""
    return min(steps, math.ceil(steps * share)) if share else 0


def rate_of_step(step: int, steps: int, settings: TrainSettings) -> float:
    """The rate that the settings say for a step."""
    warmup = warmup_steps(steps, settings.warmup)
    return learning_rate(step, steps, settings.lr, warmup, settings.decay)


def learning_rate(
    step: int, steps: int, peak: float, warmup: int, decay: Decay = "cosine"
) -> float:
    """The rate of `step`, which counts from 0 to `steps` - 1: a straight rise, then half a cosine.

    The last step still has a little: a rate of zero would compute a batch for nothing.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if decay == "constant":
        return peak
    part = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * part))
