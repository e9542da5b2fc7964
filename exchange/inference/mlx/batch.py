"""A continuous batch: rows join and leave between any two tokens.

mlx-lm's pieces (its models, prompt processing and prompt caches) around a decode loop of our own,
which keeps the rows in place (`kv_cache`) and gives every row its own noise. Like mlx-lm's it stays
one token ahead: the next forward pass is under way while the tokens of the last one are looked at.

Sampling adds Gumbel noise to the scaled log-probabilities and takes the largest. The noise comes
from a key made of the request's seed and the number of the token, so neighbours, order and
restarts do not change it. The log-probabilities themselves are the same to the last bits only in
float32 on one machine; elsewhere the noise is the same and the text may differ.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
from mlx_lm.generate import PromptProcessingBatch, generation_stream
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.sample_utils import apply_top_p

from exchange.inference.engine import GREEDY, SamplingParams
from exchange.inference.mlx.kv_cache import BatchKVBuffers, CachedPrefix, order_without

NoiseKey = tuple[int, int]  # the request's seed in 32 bit, the number of the token
Sampler = Callable[[mx.array, Sequence[NoiseKey]], mx.array]


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Log-probabilities at one token, still to be computed: its own, and the best ones."""

    chosen: mx.array
    ids: mx.array  # most probable first
    values: mx.array

    def read(self) -> tuple[float, list[tuple[int, float]]]:
        """In Python numbers."""
        ids: Any = self.ids.tolist()
        values: Any = self.values.tolist()
        chosen: Any = self.chosen.item()
        return float(chosen), list(zip(ids, values, strict=True))


# A row's token, its scores where they were asked for, and why the row ends with it, if it does.
# True ends the row here.
OnToken = Callable[[int, TokenScores | None, str | None], bool]


@dataclass(slots=True, eq=False, kw_only=True)
class BatchRow:
    """One request."""

    prompt: list[int]
    max_tokens: int
    seed: int  # 32 bit
    sampling: SamplingParams = GREEDY
    prefix: CachedPrefix | None = None
    on_token: OnToken | None = None
    keep: bool = True  # others may go on from it, where that is remembered at all
    tokens: list[int] = field(default_factory=list)  # generated, without the end mark
    end_mark: int | None = None
    sampled: int = 0  # tokens sampled so far; one ahead of those that were looked at
    prefilled: bool = False  # false until the prompt's last token went through the model
    share_s: float = 0.0  # of the time of the steps it was in

    def unread_prompt(self) -> list[int]:
        """What of the prompt is still to be computed."""
        return self.prompt[len(self.prefix.tokens) if self.prefix else 0 :]


class ContinuousBatch:
    """Up to `width` rows; see the module's docstring.

    Args:
        stops: token ids that end a row.
        on_end: given each row that ended by itself and the model's cache of all its tokens.
    """

    def __init__(
        self,
        model: Any,
        width: int,
        stops: Iterable[int],
        on_end: Callable[[BatchRow, list[Any]], None] | None = None,
    ) -> None:
        self.width = width
        self.rows: list[BatchRow] = []
        self._model = model
        self._stops = frozenset(stops)
        self._on_end = on_end
        self._buffers = BatchKVBuffers(width)
        self._next: Any = None  # the token of each row that goes through the model next
        self._scores: dict[BatchRow, TokenScores] = {}  # of those tokens, where asked for
        self._sample = make_sampler([])

    def prefix(self, tokens: list[int]) -> CachedPrefix:
        """Compute once what prompts that begin with these tokens have in common."""
        return self._read(tokens, make_prompt_cache(self._model))

    def read(self, row: BatchRow, count: int) -> None:
        """Compute so many tokens of a prompt that is too long to be admitted at once."""
        known = row.prefix.tokens if row.prefix else []
        cache = copy.deepcopy(row.prefix.cache) if row.prefix else make_prompt_cache(self._model)
        piece = row.unread_prompt()[:count]
        row.prefix = CachedPrefix([*known, *piece], self._read(piece, cache).cache)

    def _read(self, tokens: list[int], cache: list[Any]) -> CachedPrefix:
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
            prompts.prompt([row.unread_prompt()[:-1] for row in rows])
            self._buffers.admit(prompts.prompt_cache, [len(row.prompt) - 1 for row in rows])
            last = mx.array([row.prompt[-1] for row in rows])
            self._next = mx.concatenate([self._next, last]) if self.rows else last
        self._set_rows([*self.rows, *rows])

    def step(self) -> list[tuple[BatchRow, str]]:
        """Advance all rows by one token.

        Returns:
            The rows that ended with it, and why: "stop" or "length".
        """
        if not self.rows:
            return []
        with mx.stream(generation_stream):
            fed, scores = self._next, self._scores
            self._buffers.advance()
            logits = self._model(fed[:, None], cache=self._buffers.layers)[:, -1, :]
            logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
            self._next = self._sample(logprobs, [(row.seed, row.sampled) for row in self.rows])
            self._scores = self._score(logprobs)
            mx.async_eval(
                self._next, [(one.chosen, one.ids, one.values) for one in self._scores.values()]
            )
            ended = list(self._collect_tokens(fed.tolist(), scores))
            if self._on_end:
                for row in (row for row, _ in ended if row.keep):
                    self._on_end(row, self._buffers.extract(self.rows.index(row)))
        self._drop({row for row, _ in ended})
        return ended

    def remove(self, row: BatchRow) -> None:
        """Forget a row."""
        self._drop({row})

    def _score(self, logprobs: mx.array) -> dict[BatchRow, TokenScores]:
        """Small arrays per row: the whole vocabulary's must not be kept until the next step."""
        found = {}
        for index, row in enumerate(self.rows):
            count = row.sampling.top_logprobs
            if count is not None:
                ids = mx.argsort(-logprobs[index])[:count]
                chosen = logprobs[index, self._next[index]]
                found[row] = TokenScores(chosen, ids, logprobs[index, ids])
        return found

    def _collect_tokens(
        self, tokens: list[int], scores: dict[BatchRow, TokenScores]
    ) -> Iterator[tuple[BatchRow, str]]:
        """Give each row the token that just went through the model."""
        for row, token in zip(self.rows, tokens, strict=True):
            row.sampled += 1
            if not row.prefilled:
                row.prefilled = True  # that token was its prompt's last
                continue
            end = None
            if token in self._stops:
                row.end_mark, end = token, "stop"
            else:
                row.tokens.append(token)
                if len(row.tokens) >= row.max_tokens:
                    end = "length"
            if row.on_token and row.on_token(token, scores.get(row), end):
                end = "stop"
            if end:
                yield row, end

    def _drop(self, gone: set[BatchRow]) -> None:
        if not gone:
            return
        places = {index for index, row in enumerate(self.rows) if row in gone}
        order = order_without(len(self.rows), places)
        with mx.stream(generation_stream):
            self._buffers.select(order)
            self._next = self._next[mx.array(order)] if order else None
        for row in gone:
            self._scores.pop(row, None)
        self._set_rows([self.rows[index] for index in order])

    def _set_rows(self, rows: list[BatchRow]) -> None:
        self.rows = rows
        self._sample = make_sampler([row.sampling for row in rows])


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
