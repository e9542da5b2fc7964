"""What a model says of given texts, without decoding: likelihoods, and logits among choices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, cast

import mlx.core as mx
import numpy as np
from mlx_lm.generate import generation_stream
from mlx_lm.models.cache import make_prompt_cache

from exchange.errors import ModelUnfit, TooLarge
from exchange.inference.batch_width import group_by_length, padded_length
from exchange.inference.engine import Likelihood
from exchange.inference.mlx.kv_cache import CachedPrefix
from exchange.inference.runtime import language_part

ROWS = 16  # completions at once; their scores over the whole vocabulary are what takes memory
AGREEMENT = 1e-2  # of logits; a model that scales or caps its logits differs by far more
ALIKE = 0.8  # of the longest row's length: a shorter one would be padded for too much of it
IMPOSSIBLE = -1e9  # log-probability of a token that there is not
Layer = Callable[..., mx.array]


def loglikelihood(
    model: Any,
    rows: Sequence[tuple[list[int], int]],
    find_prefix: Callable[[list[int]], CachedPrefix | None] = lambda prompt: None,
    keep: Callable[[list[int], list[Any]], None] = lambda tokens, cache: None,
) -> list[Likelihood]:
    """The likelihood of each row's tokens from its start on, given those before.

    Rows with the same beginning should stand beside each other: it is computed once for all.

    Args:
        find_prefix: what is known already of a prompt's beginning; it is left as it is.
        keep: given each prompt but its last token, and the model's cache of it.
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
            completions = [tokens[start:] for tokens, _ in rows[first:last]]
            cache = _read(model, prompt, find_prefix(prompt))
            found += _group(model, prompt[-1], completions, cache)
            keep(prompt[:-1], cache)
        first = last
    return found


def _read(model: Any, prompt: list[int], prefix: CachedPrefix | None) -> list[Any]:
    """The model's cache of a prompt but its last token."""
    cache = copy.deepcopy(prefix.cache) if prefix else make_prompt_cache(model)
    unread = prompt[len(prefix.tokens) if prefix else 0 : -1]
    if unread:
        model(mx.array(unread)[None], cache=cache)
        mx.eval([layer.state for layer in cache])
    return cache


def _group(
    model: Any, last: int, completions: list[list[int]], cache: list[Any]
) -> list[Likelihood]:
    longest = max(map(len, completions))
    # Padding on the right is behind every token that counts, so that no mask is needed.
    wanted = mx.array([one + [0] * (longest - len(one)) for one in completions])
    first = mx.full((len(completions), 1), last, wanted.dtype)
    inputs = mx.concatenate([first, wanted[:, :-1]], 1)
    logits = model(inputs, cache=[layer.merge([layer] * len(completions)) for layer in cache])
    logits = logits.astype(mx.float32)
    chosen = mx.take_along_axis(logits, wanted[..., None], axis=-1)[..., 0]
    logprobs = chosen - mx.logsumexp(logits, axis=-1)
    counted = mx.arange(longest) < mx.array([len(one) for one in completions])[:, None]
    sums = mx.where(counted, logprobs, 0).sum(axis=1)
    found = cast(list[float], sums.tolist())
    return [Likelihood(value, len(one)) for value, one in zip(found, completions, strict=True)]


def choice_logits(
    model: Any,
    prompts: Sequence[list[int]],
    choices: Sequence[int],
    rows: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    advice: str = "shorter prompts",
) -> np.ndarray[Any, Any]:
    """The logits of some token ids after each prompt: (prompts, choices), float32.

    One pass over each prompt, and no generation.

    Args:
        rows: computed together at most; fewer of long prompts, so that memory is bounded.
        progress: called with prompts done and prompts in all.
        advice: what helps when a prompt does not fit the memory, for the message.

    Raises:
        TooLarge: even one prompt does not fit the memory.
    """
    model.eval()
    parts, wanted = split_head(model), mx.array(list(choices))
    found = np.zeros((len(prompts), len(choices)), np.float32)
    done = 0
    for chosen in group_by_length([len(prompt) for prompt in prompts], rows):
        try:
            logits = _last_logits(model, parts, [prompts[i] for i in chosen])
            found[chosen] = np.array(logits[:, wanted].astype(mx.float32))
        except RuntimeError as error:  # of MLX's allocator
            raise TooLarge(
                f"{len(prompts[chosen[0]])} tokens do not fit the memory ({error}): take a "
                f"quantised base, or {advice}"
            ) from None
        done += len(chosen)
        progress(done, len(prompts))
        if done < len(prompts):
            mx.clear_cache()
    return found


def _last_logits(
    model: Any, parts: tuple[Layer, Layer] | None, prompts: Sequence[list[int]]
) -> mx.array:
    """(prompts, vocabulary) after each prompt's last token, in the model's own number type."""
    length = padded_length(max(map(len, prompts)))
    tokens = np.zeros((len(prompts), length), np.int32)
    for number, prompt in enumerate(prompts):
        tokens[number, : len(prompt)] = prompt
    last = [number * length + len(prompt) - 1 for number, prompt in enumerate(prompts)]
    return _logits_at(model, parts, mx.array(tokens), mx.array(np.array(last, np.int32)))


def top_logprobs(
    model: Any,
    parts: tuple[Layer, Layer] | None,
    rows: Sequence[tuple[list[int], int]],
    shared: int,
    top: int,
) -> list[tuple[mx.array, mx.array]]:
    """The most probable tokens at each place of each row from its start on, given those before.

    Args:
        parts: of `split_head`.
        rows: tokens, and where they start; the longest first, since rows of about one length
            are computed together.
        shared: how many of the first tokens all rows have in common before their starts; these
            are computed once.
        top: how many; where the vocabulary has fewer, the rest are of probability 0.

    Returns:
        For each row ids and log-probabilities, (places, top), evaluated.
    """
    read = _read(model, rows[0][0][: shared + 1], None) if shared else []
    found: list[tuple[mx.array, mx.array]] = []
    while len(found) < len(rows):
        left = rows[len(found) :]
        longest = len(left[0][0]) - shared
        alike = (len(tokens) - shared >= ALIKE * longest for tokens, _ in left)
        chosen = [row for row, _ in zip(left, takewhile(bool, alike), strict=False)]
        found += _tops(model, parts, chosen, read, shared, top)
    return found


def _tops(
    model: Any,
    parts: tuple[Layer, Layer] | None,
    rows: Sequence[tuple[list[int], int]],
    read: list[Any],
    shared: int,
    top: int,
) -> list[tuple[mx.array, mx.array]]:
    """`top_logprobs` of rows in one pass; `read` is the model's cache of what they share."""
    length = padded_length(max(len(tokens) - 1 - shared for tokens, _ in rows))
    inputs = np.zeros((len(rows), length), np.int32)
    places = []
    for number, (tokens, start) in enumerate(rows):
        inputs[number, : len(tokens) - 1 - shared] = tokens[shared:-1]
        first = number * length + start - 1 - shared
        places.append(np.arange(first, first + len(tokens) - start, dtype=np.int32))
    cache = [layer.merge([layer] * len(rows)) for layer in read]
    where = mx.array(np.concatenate(places))
    logits = _logits_at(model, parts, mx.array(inputs), where, cache).astype(mx.float32)
    count = min(top, logits.shape[-1])
    ids = mx.argpartition(-logits, count - 1, axis=-1)[:, :count]
    kept = mx.take_along_axis(logits, ids, axis=-1) - mx.logsumexp(logits, axis=-1, keepdims=True)
    if count < top:
        ids = mx.pad(ids, [(0, 0), (0, top - count)])
        kept = mx.pad(kept, [(0, 0), (0, top - count)], constant_values=mx.array(IMPOSSIBLE))
    mx.eval(ids, kept)
    ends = np.cumsum([len(one) for one in places]).tolist()
    begins = [0, *ends[:-1]]
    return [(ids[a:b], kept[a:b]) for a, b in zip(begins, ends, strict=True)]


def _logits_at(
    model: Any,
    parts: tuple[Layer, Layer] | None,
    inputs: mx.array,
    places: mx.array,
    cache: Any = None,
) -> mx.array:
    """(places, vocabulary) at places of the flattened inputs; the head runs only there."""
    given = {"cache": cache} if cache else {}
    if parts is None:
        logits = model(inputs, **given)
        return cast(mx.array, logits.reshape(-1, logits.shape[-1])[places])
    body, head = parts
    hidden = body(inputs, **given)
    return head(hidden.reshape(-1, hidden.shape[-1])[places])


def mean_states(
    model: Any,
    rows: Sequence[list[int]],
    width: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray[Any, Any]:
    """The mean of the last hidden states over each row's tokens, of length 1: (rows, size).

    Args:
        rows: of at least one token each.
        width: rows computed together at most.
        progress: called with rows done and rows in all.

    Raises:
        ModelUnfit: its body cannot be told from its head.
    """
    model.eval()
    parts = split_head(model)
    if parts is None:
        raise ModelUnfit("this model gives no hidden states: name an encoder, or another base")
    found: list[Any] = [None] * len(rows)
    done = 0
    for chosen in group_by_length([len(row) for row in rows], width):
        longest = padded_length(max(len(rows[index]) for index in chosen))
        tokens = np.zeros((len(chosen), longest), np.int32)
        real = np.zeros((len(chosen), longest, 1), np.float32)
        for number, index in enumerate(chosen):
            tokens[number, : len(rows[index])] = rows[index]
            real[number, : len(rows[index])] = 1
        # Padding on the right is behind every token that counts, so that no mask is needed.
        states = parts[0](mx.array(tokens)).astype(mx.float32) * mx.array(real)
        means = np.array(states.sum(axis=1))
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
        for index, mean in zip(chosen, means, strict=True):
            found[index] = mean
        done += len(chosen)
        progress(done, len(rows))
    return np.array(found)


def split_head(model: Any) -> tuple[Layer, Layer] | None:
    """Body and head, if together they give what the whole model gives; else None.

    The head is the widest product of all: whoever looks at few places runs it only there.
    """
    inner = language_part(model)
    body = getattr(inner, "model", None)
    if body is None:
        return None
    head: Layer | None = getattr(inner, "lm_head", None)
    if head is None:
        head = getattr(getattr(body, "embed_tokens", None), "as_linear", None)
    if head is None:
        return None
    probe = mx.array([[1, 2, 3, 1]])
    try:
        whole, parts = model(probe), head(body(probe))
    except Exception:  # any shape or signature of its own: the plain way always works
        return None
    if whole.shape != parts.shape:
        return None
    difference = float(cast(float, mx.abs(_float32(whole) - _float32(parts)).max().item()))
    return (body, head) if difference <= AGREEMENT else None


def _float32(array: mx.array) -> mx.array:
    return array.astype(mx.float32)
