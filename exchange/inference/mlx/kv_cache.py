"""Keys and values of a continuous batch, written in place.

mlx-lm's batch cache makes new arrays of all rows whenever a row ends or begins, and its attention
mask and positions once per layer. Here the rows have fixed places in buffers that stay: a new row
is written into a free place, the last row moves into the place of one that ended, and columns are
moved only when the buffers' end is reached.

The rows are right-justified: all write their next token into the same column, and what lies left
of a row's own beginning is masked. Layers whose cache is of another kind than the plain one
(sliding windows, states) keep mlx-lm's own batch cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import (
    BatchKVCache,
    KVCache,
    LRUPromptCache,
    can_trim_prompt_cache,
    trim_prompt_cache,
)

from exchange.inference.batch_width import STRETCH


class LayerKVCache:
    """One layer's part of `BatchKVBuffers`, as a model expects a cache to be."""

    def __init__(self, rows: BatchKVBuffers) -> None:
        self._rows = rows
        self.keys: Any = None  # (width, heads, capacity, size of a head)
        self.values: Any = None

    @property
    def offset(self) -> mx.array:
        """The position of each row's new token, (rows,)."""
        return self._rows.offset

    def make_mask(
        self, length: int, return_array: bool = False, window_size: int | None = None
    ) -> Any:
        """Which columns each row may see, (rows, 1, 1, columns); None for all."""
        return self._rows.mask(window_size)

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Write one new column, and hand out all that are in use."""
        rows = self._rows
        count, start, end = len(rows), rows.start, rows.end
        self.keys[:count, :, end - 1 : end] = keys
        self.values[:count, :, end - 1 : end] = values
        return self.keys[:count, :, start:end], self.values[:count, :, start:end]

    def write(self, first: int, end: int, filled: BatchKVCache, longest: int) -> None:
        """Put new rows beside the others, their last column before `end`.

        Args:
            longest: tokens of the longest of them. mlx-lm pads prefixes and rests apart, so where
                a long prefix meets a long rest of another row, columns of nobody stand before.
        """
        if filled.keys is None:
            return
        keys, values = (part[:, :, -longest:] for part in filled.keys_and_values())
        where = slice(first, first + keys.shape[0]), slice(None), slice(end - keys.shape[2], end)
        self._allocate(keys, values)
        self.keys[where] = keys
        self.values[where] = values

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        used = slice(self._rows.start, self._rows.end)
        for buffer in (self.keys, self.values):
            # A view of the buffer in the same expression would have the whole buffer copied.
            row = mx.contiguous(buffer[source : source + 1, :, used])
            mx.eval(row)
            buffer[target : target + 1, :, used] = row

    def extract(self, index: int) -> KVCache:
        """One row's keys and values in a cache of their own, copied."""
        end, length = self._rows.end, self._rows.lengths[index]
        cache = KVCache()
        cache.keys, cache.values = (
            mx.contiguous(buffer[index : index + 1, :, end - length : end])
            for buffer in (self.keys, self.values)
        )
        cache.offset = length
        return cache

    def relocate(self, start: int, end: int, new_end: int) -> None:
        """Copy the columns in use into buffers of the new capacity."""
        if self.keys is None:
            return
        old = self.keys[:, :, start:end], self.values[:, :, start:end]
        self.keys = self.values = None
        self._allocate(*old)
        self.keys[:, :, new_end - (end - start) : new_end] = old[0]
        self.values[:, :, new_end - (end - start) : new_end] = old[1]

    def _allocate(self, keys: mx.array, values: mx.array) -> None:
        rows = self._rows
        if self.keys is None or self.keys.shape[2] < rows.capacity:
            self.keys, self.values = (
                mx.zeros((rows.width, like.shape[1], rows.capacity, like.shape[3]), like.dtype)
                for like in (keys, values)
            )


class BatchKVBuffers:
    """The caches of all layers, and the place of every row in them."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.capacity = 0  # columns that the buffers have
        self.start = self.end = 0  # columns in use
        self.lengths: list[int] = []  # tokens of each row so far
        self.layers: list[Any] = []
        self.offset: Any = None

    def __len__(self) -> int:
        return len(self.lengths)

    def admit(self, filled: list[Any], lengths: list[int]) -> None:
        """Add rows whose prompts were processed by mlx-lm's own batch caches, one per layer."""
        if not self.layers:
            self.layers = [None] * len(filled)
        self._make_room(max(lengths))
        for index, new in enumerate(filled):
            layer = self.layers[index]
            if isinstance(new, BatchKVCache):
                if layer is None:
                    layer = self.layers[index] = LayerKVCache(self)
                layer.write(len(self), self.end, new, max(lengths))
            elif layer is None:
                self.layers[index] = new
            else:
                layer.extend(new)
        self.lengths += lengths
        self.start = self.end - max(self.lengths)

    def advance(self) -> None:
        """Begin a step: every row gets one more column."""
        if self.end == self.capacity:
            self._relocate(self.end - self.start)
        self.end += 1
        self.offset = mx.array(self.lengths)
        self.lengths = [length + 1 for length in self.lengths]
        self.start = self.end - max(self.lengths)

    def extract(self, index: int) -> list[Any]:
        """One row's caches, one per layer, that outlive it here."""
        return [layer.extract(index) for layer in self.layers]

    def select(self, order: list[int]) -> None:
        """Drop all rows but these; row `order[i]` becomes row `i`."""
        for index, layer in enumerate(self.layers):
            if isinstance(layer, LayerKVCache):
                for target, source in enumerate(order):
                    if source != target:
                        layer.move(source, target)
            elif order:
                layer.filter(order)
            else:
                self.layers[index] = None
        self.lengths = [self.lengths[index] for index in order]
        self.start = self.end - max(self.lengths, default=0)

    def mask(self, window: int | None) -> Any:
        """See `LayerKVCache.make_mask`."""
        columns = self.end - self.start
        if min(self.lengths) == columns and (window is None or columns <= window):
            return None
        numbers = mx.arange(columns)
        begin = mx.array([columns - length for length in self.lengths])[:, None]
        seen = numbers >= begin
        if window is not None:
            seen = seen & (numbers >= columns - window)
        return seen[:, None, None, :]

    def _make_room(self, columns: int) -> None:
        """Let the columns in use end at `columns` or later, with one more to come."""
        if not self.lengths:
            self.start = self.end = columns
        if columns > self.end or self.end >= self.capacity:
            self._relocate(max(columns, self.end - self.start))

    def _relocate(self, end: int) -> None:
        start, before = self.start, self.end
        self.start, self.end = end - (before - start), end
        self.capacity = max(self.capacity, (end // STRETCH + 1) * STRETCH)
        for layer in self.layers:
            if isinstance(layer, LayerKVCache):
                layer.relocate(start, before, end)


def order_without(count: int, gone: set[int]) -> list[int]:
    """The rows that stay, the last ones in the places of those that go: few rows move."""
    order = list(range(count))
    for place in sorted(gone, reverse=True):
        order[place] = order[-1]
        order.pop()
    return order


# What models made of prompts' beginnings: instructions that stay, conversations that go on.

MAX_CONVERSATIONS = 64  # kept at most, if memory allows


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """Tokens that prompts begin with, and the model's cache of them."""

    tokens: list[int]
    cache: list[Any]


class PrefixCache:
    """The prefixes of all models, by the model's name.

    Args:
        max_bytes: of what is kept of conversations; 0 keeps none. Pinned prefixes do not count.
    """

    def __init__(self, max_bytes: int = 0) -> None:
        self._pinned: dict[str, list[CachedPrefix]] = {}  # longest first
        self._kept = LRUPromptCache(MAX_CONVERSATIONS, max_bytes) if max_bytes else None

    def pin(self, model: str, prefix: CachedPrefix) -> None:
        """Keep what many prompts begin with, for good."""
        pinned = self._pinned.setdefault(model, [])
        pinned.append(prefix)
        pinned.sort(key=lambda one: -len(one.tokens))

    def put(self, model: str, tokens: list[int], cache: list[Any]) -> None:
        """Remember a conversation; those not used for longest make room."""
        if self._kept is not None:
            mx.eval([layer.state for layer in cache])  # or the whole batch's memory hangs on it
            self._kept.insert_cache(model, tokens, cache)

    def find(self, model: str, prompt: list[int]) -> CachedPrefix | None:
        """The longest known beginning of a prompt, always without its last token.

        The caches of pinned prefixes are shared: whoever goes on with one makes a copy.
        """
        for pinned in self._pinned.get(model, ()):
            size = len(pinned.tokens)
            if size < len(prompt) and prompt[:size] == pinned.tokens:
                break
        else:
            pinned = None
        kept = self._find_kept(model, prompt)
        longer = kept and (not pinned or len(kept.tokens) > len(pinned.tokens))
        return kept if longer else pinned

    def _find_kept(self, model: str, prompt: list[int]) -> CachedPrefix | None:
        if self._kept is None:
            return None
        cache, unread = self._kept.fetch_nearest_cache(model, prompt)
        if cache and not unread:  # known to its end, whose logits are wanted
            if not can_trim_prompt_cache(cache):
                return None
            trim_prompt_cache(cache, 1)
            unread = prompt[-1:]
        known = len(prompt) - len(unread)
        return CachedPrefix(prompt[:known], cache) if cache and known else None
