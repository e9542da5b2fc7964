"""How probable given answers are: one pass over each prompt, one over its answers together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import mlx.core as mx
from mlx_lm.generate import generation_stream
from mlx_lm.models.cache import make_prompt_cache

from exchange.inference.engine import Likelihood

ROWS = 16  # answers at once; their scores over the whole vocabulary are what takes memory


def loglikelihood(model: Any, rows: Sequence[tuple[list[int], int]]) -> list[Likelihood]:
    """The likelihood of each row's tokens from its start on, given those before.

    Rows with the same beginning should stand beside each other: it is computed once for all.
    """
    found: list[Likelihood] = []
    first = 0
    while first < len(rows):
        tokens, start = rows[first]
        prompt = tokens[:start]
        last = first
        while last < min(first + ROWS, len(rows)) and rows[last][0][: rows[last][1]] == prompt:
            last += 1
        with mx.stream(generation_stream):
            found += _group(model, prompt, [tokens[start:] for tokens, _ in rows[first:last]])
        first = last
    return found


def _group(model: Any, prompt: list[int], answers: list[list[int]]) -> list[Likelihood]:
    cache = make_prompt_cache(model)
    if prompt[:-1]:
        model(mx.array(prompt[:-1])[None], cache=cache)
        mx.eval([layer.state for layer in cache])
    longest = max(map(len, answers))
    # Padding on the right is behind every token that counts, so that no mask is needed.
    wanted = mx.array([answer + [0] * (longest - len(answer)) for answer in answers])
    fed = mx.concatenate([mx.full((len(answers), 1), prompt[-1], wanted.dtype), wanted[:, :-1]], 1)
    logits = model(fed, cache=[layer.merge([layer] * len(answers)) for layer in cache])
    logits = logits.astype(mx.float32)
    chosen = mx.take_along_axis(logits, wanted[..., None], axis=-1)[..., 0]
    logprobs = chosen - mx.logsumexp(logits, axis=-1)
    counted = mx.arange(longest) < mx.array([len(answer) for answer in answers])[:, None]
    sums = mx.where(counted, logprobs, 0).sum(axis=1)
    found = cast(list[float], sums.tolist())
    return [Likelihood(one, len(answer)) for one, answer in zip(found, answers, strict=True)]
