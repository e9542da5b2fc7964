"""Choose the next token of every row in one call; a row's luck depends on its own task alone.

Sampling adds Gumbel noise to the scaled log-probabilities and takes the largest. The noise comes
from a key made of the request's seed and the number of the token, so neighbours, order and
restarts do not change it. The log-probabilities themselves are the same to the last bits only in
float32 on one machine; elsewhere the noise is the same and the text may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx_lm.sample_utils import apply_top_p

NoiseKey = tuple[int, int]  # the request's seed, the number of the token
Sampler = Callable[[mx.array, Sequence[NoiseKey]], mx.array]


def make_sampler(temperature: float, top_p: float) -> Sampler:
    """A function of log-probabilities (rows, vocabulary) and a key per row to tokens (rows,).

    Args:
        temperature: 0 takes the likeliest token, whatever the keys.
        top_p: the smallest set of tokens with this much probability, after the temperature, is
            sampled from; 1 for all.
    """
    if temperature == 0:
        return lambda logprobs, keys: mx.argmax(logprobs, axis=-1)

    def sample(logprobs: mx.array, keys: Sequence[NoiseKey]) -> mx.array:
        scaled = logprobs.astype(mx.float32) / temperature
        if top_p < 1:
            scaled = apply_top_p(scaled, top_p)
        return mx.argmax(
            scaled + _noise(mx.array(list(keys), mx.uint32), scaled.shape[-1]), axis=-1
        )

    return sample


def _noise(keys: mx.array, size: int) -> mx.array:
    """Gumbel noise (rows, size), each row from its own key."""
    rows: mx.array = mx.vmap(lambda key: mx.random.gumbel((size,), key=key))(keys)
    return rows
