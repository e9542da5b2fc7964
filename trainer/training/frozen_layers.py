"""The layers below the first tuned one: run alone, or replaced by what they gave before.

They never change, and neither does what they make of the same tokens. Works on any model whose
body passes one array from layer to layer; whether it does is tried once, on four tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import mlx.nn as nn

Array = mx.array


class FrozenLayers:
    """The lower layers of a model of which only the last `tuned` layers learn."""

    def __init__(self, model: Any, tuned: int) -> None:
        self._model = model
        self._layers: list[Any] = model.layers
        self.count = len(self._layers) - tuned

    def activations(self, inputs: Array) -> Array:
        """What the first tuned layer reads: (rows, length, width) for (rows, length) token ids.

        Lazy: evaluating it computes the lower layers and nothing above them.
        """
        seen: list[Array] = []
        above = self._layers[self.count :]
        with self._replaced(self.count, [_Tap(above[0], seen), *map(_Skip, above[1:])]):
            self._model(inputs)
        return seen[0]

    @contextmanager
    def given(self, hidden: Array) -> Iterator[None]:
        """Inside the block the model starts at the first tuned layer, from `hidden`.

        The token ids that it is called with must have the same rows and length.
        """
        below = self._layers[: self.count]
        with self._replaced(0, [*map(_Skip, below[:-1]), _Source(below[-1], hidden)]):
            yield

    def token_bytes(self) -> int:
        """What one position takes on disk; 0 when nothing is frozen, or not to be run apart."""
        try:
            sketch = self.activations(mx.array([[1]])) if self.count else None
        except Exception:  # a model of another shape
            return 0
        return int(sketch.shape[-1] * sketch.itemsize) if sketch is not None else 0

    def separable(self) -> bool:
        """Whether the two together give what the whole model gives, and give it every time."""
        if not self.count or any(map(_drops_out, self._layers[: self.count])):
            return False
        probe = mx.array([[1, 2, 3, 1]])
        was_training = self._model.training
        self._model.eval()
        try:
            whole = self._model(probe)
            with self.given(self.activations(probe)):
                parts = self._model(probe)
            return bool(mx.allclose(whole, parts, rtol=1e-3, atol=1e-3).item())
        except Exception:  # a model of another shape: it is trained without this
            return False
        finally:
            self._model.train(was_training)

    @contextmanager
    def _replaced(self, first: int, stand_ins: list[Any]) -> Iterator[None]:
        where = slice(first, first + len(stand_ins))
        originals = self._layers[where]
        self._layers[where] = stand_ins
        try:
            yield
        finally:
            self._layers[where] = originals


def _drops_out(layer: Any) -> bool:
    return any(isinstance(module, nn.Dropout) and module._p_1 < 1 for module in layer.modules())


class _Skip(nn.Module):
    """Stands where a layer stood, with the attributes that bodies ask layers for."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        object.__setattr__(self, "_layer", layer)  # no child: its parameters are not ours

    def __getattr__(self, key: str) -> Any:
        return getattr(object.__getattribute__(self, "_layer"), key)

    def __call__(self, x: Array, *arguments: Any, **named: Any) -> Array:
        return x


class _Tap(_Skip):
    """Keeps what the layer would have read."""

    def __init__(self, layer: Any, seen: list[Array]) -> None:
        super().__init__(layer)
        object.__setattr__(self, "_seen", seen)

    def __call__(self, x: Array, *arguments: Any, **named: Any) -> Array:
        self._seen.append(x)
        return x


class _Source(_Skip):
    """Gives what the layer, and all below it, gave before."""

    def __init__(self, layer: Any, hidden: Array) -> None:
        super().__init__(layer)
        object.__setattr__(self, "_hidden", hidden)

    def __call__(self, x: Array, *arguments: Any, **named: Any) -> Array:
        return self._hidden
