"""Continuous batches of several models that share their weights, one token at a time each.

Rows of two models cannot go through one forward pass, so each model has a batch of its own, and
the batches take turns. What was said before in a chat is kept, within a limit, and read once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.generate import BatchGenerator
from mlx_lm.models.cache import LRUPromptCache
from mlx_lm.sample_utils import apply_top_p

PREFILL_ROWS = 8  # prompts read together; mlx-lm's own default
MAX_CONVERSATIONS = 64  # conversations whose past is kept, if memory allows


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen; temperature 0 takes the likeliest."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """One token of one row."""

    row: int
    token: int
    end: str | None  # "stop" (and the token is the end mark), "length", or None: it goes on
    logprob: float = 0.0  # of this token, before temperature; 0 where it was not asked for
    top: tuple[tuple[int, float], ...] = ()  # likeliest tokens with theirs, best first


class PrefixCache:
    """What the models made of conversations that may go on."""

    def __init__(self, most_bytes: int) -> None:
        self._kept = LRUPromptCache(MAX_CONVERSATIONS, most_bytes) if most_bytes else None

    def past(self, model: str, prompt: list[int]) -> tuple[list[Any] | None, list[int]]:
        """The cache of the longest known beginning of a prompt, and the rest to be read."""
        if self._kept is None:
            return None, prompt
        cache, rest = self._kept.fetch_nearest_cache(model, prompt)
        return (cache, rest) if cache and rest else (None, prompt)

    def keep(self, model: str, tokens: list[int], cache: list[Any]) -> None:
        """Remember a conversation; the oldest make room."""
        if self._kept is not None:
            mx.eval([layer.state for layer in cache])  # or the whole batch's memory hangs on it
            self._kept.insert_cache(model, tokens, cache)


class StreamingBatch:
    """The batch of one model. All calls come from one thread."""

    def __init__(
        self, name: str, model: Any, ends: list[int], width: int, memory: PrefixCache
    ) -> None:
        self._name = name
        self._memory = memory
        self._tops: dict[int, int] = {}  # rows that want probabilities, and how many
        self._rows: set[int] = set()
        model.eval()
        self._generator = BatchGenerator(
            model,
            stop_tokens=[[token] for token in ends],
            completion_batch_size=width,
            prefill_batch_size=min(width, PREFILL_ROWS),
        )

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, prompt: list[int], max_tokens: int, draw: SamplingParams, top: int | None) -> int:
        """Let a row join; returns its number.

        Args:
            top: likeliest tokens wanted with each; None: no probabilities.
        """
        cache, rest = self._memory.past(self._name, prompt)
        known = prompt[: len(prompt) - len(rest)]
        (row,) = self._generator.insert(
            [rest], [max_tokens], caches=[cache], all_tokens=[known], samplers=[_sampler(draw)]
        )
        self._rows.add(row)
        if top is not None:
            self._tops[row] = top
        return int(row)

    def step(self) -> list[DecodedToken]:
        """Read some of the new prompts, and advance all others by one token."""
        _, responses = self._generator.next()
        return [self._token(response) for response in responses]

    def remove(self, row: int) -> None:
        """Forget a row, if it is still there."""
        if row in self._rows:
            self._generator.remove([row])
            self._forget(row)

    def close(self) -> None:
        """Let go of all rows."""
        for row in list(self._rows):
            self.remove(row)
        self._generator.close()

    def _token(self, response: Any) -> DecodedToken:
        row, token, logprob = int(response.uid), int(response.token), 0.0
        top: tuple[tuple[int, float], ...] = ()
        if row in self._tops:
            logprob = float(response.logprobs[token].item())
            top = _likeliest(response.logprobs, self._tops[row])
        if response.finish_reason is not None:
            self._memory.keep(self._name, list(response.all_tokens), response.prompt_cache)
            self._forget(row)
        return DecodedToken(row, token, response.finish_reason, logprob, top)

    def _forget(self, row: int) -> None:
        self._rows.discard(row)
        self._tops.pop(row, None)


def _likeliest(logprobs: Any, count: int) -> tuple[tuple[int, float], ...]:
    if not count:
        return ()
    best = mx.argsort(-logprobs)[:count]
    tokens: Any = best.tolist()
    values: Any = logprobs[best].tolist()
    return tuple(zip(tokens, values, strict=True))


def _sampler(draw: SamplingParams) -> Callable[[mx.array], mx.array]:
    """Chooses for one row; its luck depends on its own seed and place, not on its neighbours."""
    if draw.temperature == 0:
        return _greedy  # one function for all, so that mlx-lm calls it once for the whole batch
    key = mx.random.key(draw.seed)

    def sample(logprobs: mx.array) -> mx.array:
        nonlocal key
        key, luck = mx.random.split(key)
        scaled = logprobs.astype(mx.float32) / draw.temperature
        if draw.top_p < 1:
            scaled = apply_top_p(scaled, draw.top_p)
        return mx.random.categorical(scaled, key=luck)

    return sample


def _greedy(logprobs: mx.array) -> mx.array:
    return mx.argmax(logprobs, axis=-1)
