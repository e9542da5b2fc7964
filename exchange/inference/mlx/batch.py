"""A continuous batch: rows join and leave between any two tokens.

mlx-lm's pieces (its models, prompt processing and prompt caches) around a decode loop of our own,
which keeps the rows in place (`mlx_rows`) and gives every row its own noise (`mlx_sampling`).
Like mlx-lm's it stays one token ahead: the next forward pass is under way while the tokens of the
last one are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
from mlx_lm.generate import PromptProcessingBatch, generation_stream
from mlx_lm.models.cache import make_prompt_cache

from exchange.inference.mlx.kv_cache import BatchKVBuffers, order_without
from exchange.inference.mlx.sampler import Sampler


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """Tokens that many prompts begin with, and what the model made of them."""

    tokens: list[int]
    cache: list[Any]


@dataclass(slots=True, eq=False)
class BatchRow:
    """One request."""

    prompt: list[int]
    max_tokens: int
    seed: int
    prefix: CachedPrefix | None = None
    tokens: list[int] = field(default_factory=list)  # generated, without the one that ended it
    drawn: int = 0  # tokens sampled so far; one ahead of those that were looked at
    begun: bool = False  # false until the prompt's last token went through the model

    def rest(self) -> list[int]:
        """What of the prompt is still to be computed."""
        return self.prompt[len(self.prefix.tokens) if self.prefix else 0 :]


class ContinuousBatch:
    """Up to `width` rows; see the module's docstring."""

    def __init__(self, model: Any, width: int, stops: Iterable[int], sampler: Sampler) -> None:
        self.width = width
        self.rows: list[BatchRow] = []
        self._model = model
        self._stops = frozenset(stops)
        self._sample = sampler
        self._caches = BatchKVBuffers(width)
        self._next: Any = None  # the token of each row that goes through the model next

    def prefix(self, tokens: list[int]) -> CachedPrefix:
        """Compute once what prompts that begin with these tokens have in common."""
        cache = make_prompt_cache(self._model)
        with mx.stream(generation_stream):
            self._model(mx.array(tokens)[None], cache=cache)
            mx.eval([layer.state for layer in cache])
        return CachedPrefix(tokens, cache)

    def admit(self, rows: list[BatchRow]) -> None:
        """Process the prompts of new rows, all together; there must be room for them.

        The shorter prompts are padded to the longest. The last token of each is left for the
        next step.
        """
        caches = [
            row.prefix.cache if row.prefix else make_prompt_cache(self._model) for row in rows
        ]
        with mx.stream(generation_stream):
            # One prefix's cache serves all rows: the batch is made of copies of it.
            prompts = PromptProcessingBatch(self._model, list(range(len(rows))), caches)
            prompts.prompt([row.rest()[:-1] for row in rows])
            self._caches.admit(prompts.prompt_cache, [len(row.prompt) - 1 for row in rows])
            last = mx.array([row.prompt[-1] for row in rows])
            self._next = mx.concatenate([self._next, last]) if self.rows else last
        self.rows += rows

    def step(self) -> list[tuple[BatchRow, str]]:
        """Advance all rows by one token.

        Returns:
            The rows that ended with it, and why: "stop" or "length".
        """
        if not self.rows:
            return []
        with mx.stream(generation_stream):
            fed = self._next
            self._caches.advance()
            logits = self._model(fed[:, None], cache=self._caches.layers)[:, -1, :]
            logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
            self._next = self._sample(logprobs, [(row.seed, row.drawn) for row in self.rows])
            mx.async_eval(self._next)
            ended = list(self._take(fed.tolist()))
        self._drop({row for row, _ in ended})
        return ended

    def remove(self, row: BatchRow) -> None:
        """Forget a row."""
        self._drop({row})

    def _take(self, tokens: list[int]) -> Iterator[tuple[BatchRow, str]]:
        """Give each row the token that just went through the model."""
        for row, token in zip(self.rows, tokens, strict=True):
            row.drawn += 1
            if not row.begun:
                row.begun = True  # that token was its prompt's last
            elif token in self._stops:
                yield row, "stop"
            else:
                row.tokens.append(token)
                if len(row.tokens) >= row.max_tokens:
                    yield row, "length"

    def _drop(self, gone: set[BatchRow]) -> None:
        if not gone:
            return
        places = {index for index, row in enumerate(self.rows) if row in gone}
        order = order_without(len(self.rows), places)
        with mx.stream(generation_stream):
            self._caches.keep(order)
            self._next = self._next[mx.array(order)] if order else None
        self.rows = [self.rows[index] for index in order]
