"""What models made of prompts' beginnings: instructions that stay, conversations that go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import LRUPromptCache, can_trim_prompt_cache, trim_prompt_cache

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
