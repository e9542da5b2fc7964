"""Choose the next token of every row in one call; what a row draws depends on itself alone.

Sampling adds Gumbel noise to the scaled log-probabilities and takes the largest. The noise comes
from a key made of the request's seed and the number of the token, so neighbours, order and
restarts do not change it. The log-probabilities themselves are the same to the last bits only in
float32 on one machine; elsewhere the noise is the same and the text may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx_lm.sample_utils import apply_top_p

from exchange.inference.engine import SamplingParams

NoiseKey = tuple[int, int]  # the request's seed in 32 bit, the number of the token
Sampler = Callable[[mx.array, Sequence[NoiseKey]], mx.array]


def make_sampler(params: Sequence[SamplingParams]) -> Sampler:
    """A function of log-probabilities (rows, vocabulary) and a key per row to tokens (rows,).

    Args:
        params: of each row, in order. At temperature 0 its most probable token is taken, whatever
            the key.
    """
    ways = {(one.temperature, one.top_p if one.temperature else 1.0) for one in params}
    if len(ways) > 1:
        return _mixed(params)
    temperature, top_p = ways.pop() if ways else (0.0, 1.0)
    if temperature == 0:
        return lambda logprobs, keys: mx.argmax(logprobs, axis=-1)

    def sample(logprobs: mx.array, keys: Sequence[NoiseKey]) -> mx.array:
        scaled = logprobs.astype(mx.float32) / temperature
        if top_p < 1:
            scaled = apply_top_p(scaled, top_p)
        return mx.argmax(scaled + _noise(keys, scaled.shape[-1]), axis=-1)

    return sample


def fold_seed(seed: int) -> int:
    """A seed of up to 64 bit in 32; smaller ones stay what they are."""
    return (seed ^ (seed >> 32)) & 0xFFFFFFFF


def _mixed(params: Sequence[SamplingParams]) -> Sampler:
    """For rows with parameters of their own: the same tokens, at a little more work."""
    temperature = mx.array([one.temperature or 1.0 for one in params], mx.float32)[:, None]
    top_p = mx.array([one.top_p for one in params], mx.float32)[:, None]
    cuts = any(one.temperature and one.top_p < 1 for one in params)
    greedy = mx.array([one.temperature == 0 for one in params])

    def sample(logprobs: mx.array, keys: Sequence[NoiseKey]) -> mx.array:
        scaled = logprobs.astype(mx.float32) / temperature
        if cuts:  # at 1.0 rounding could drop the least probable tokens
            scaled = mx.where(top_p < 1, apply_top_p(scaled, top_p), scaled)
        drawn = mx.argmax(scaled + _noise(keys, scaled.shape[-1]), axis=-1)
        return mx.where(greedy, mx.argmax(logprobs, axis=-1), drawn)

    return sample


def _noise(keys: Sequence[NoiseKey], size: int) -> mx.array:
    """Gumbel noise (rows, size), each row from its own key."""
    keyed = mx.array(list(keys), mx.uint32)
    rows: mx.array = mx.vmap(lambda key: mx.random.gumbel((size,), key=key))(keyed)
    return rows
