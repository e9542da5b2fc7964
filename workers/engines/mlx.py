"""The `mlx` engine: one model in this process, one continuous batch, one shared prefix.

All of it belongs to one thread: MLX's streams are thread-local, and only lists of Python numbers
may cross. A process that has evaluated anything must not fork.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exchange import mlx_runtime
from exchange.engine import Description, Finished, Message

PREFILL_BATCH = 8
FREE_FORM_MINIMUM = 8  # a shorter common prefix is not worth a cache


@dataclass(slots=True)
class _Running:
    ticket: int
    prompt_tokens: int
    started: float
    tokens: list[int] = field(default_factory=list)


class MlxEngine:
    """BatchGenerator behind the `Engine` protocol."""

    def __init__(self, folder: Path, *, name: str, width: int, temperature: float = 0.0) -> None:
        mlx_runtime.require()
        from mlx_lm.generate import BatchGenerator

        self._name = name
        self._width = width
        self._model, self._tokenizer = mlx_runtime.load(folder)
        self._context = int(getattr(self._model.args, "max_position_embeddings", 0) or 0)
        stops = [[token] for token in sorted(self._tokenizer.eos_token_ids)]
        self._generator = BatchGenerator(
            self._model,
            stop_tokens=stops,
            sampler=_sampler(temperature),
            completion_batch_size=width,
            prefill_batch_size=min(PREFILL_BATCH, width),
        )
        self._running: dict[int, _Running] = {}
        self._tickets = 0
        self._prefix: list[int] = []
        self._prefix_cache: Any = None

    def share_prefix(self, first: list[Message], second: list[Message]) -> int:
        """Compute what two different requests begin with only once, for all requests to come.

        Returns:
            How many tokens are shared; 0 when too few are to be worth it.
        """
        import mlx.core as mx
        from mlx_lm.models.cache import make_prompt_cache

        one, other = self._encode(first), self._encode(second)
        shared = 0
        while shared < min(len(one), len(other)) and one[shared] == other[shared]:
            shared += 1
        if shared < FREE_FORM_MINIMUM:
            return 0
        cache = make_prompt_cache(self._model)
        with mx.stream(self._generator.stream):
            self._model(mx.array(one[:shared])[None], cache=cache)
            mx.eval([layer.state for layer in cache])
        self._prefix, self._prefix_cache = one[:shared], cache
        return shared

    def submit(self, messages: list[Message], max_tokens: int, seed: int) -> int:
        """See `Engine.submit`. `seed` has no effect on greedy decoding."""
        prompt = self._encode(messages)
        if self._context and len(prompt) + max_tokens > self._context:
            raise ValueError(
                f"prompt of {len(prompt)} tokens and {max_tokens} to come exceed the model's "
                f"context of {self._context}"
            )
        shared = len(self._prefix)
        if shared and len(prompt) > shared and prompt[:shared] == self._prefix:
            # One cache object serves all rows: the generator merges copies of it.
            (uid,) = self._generator.insert(
                [prompt[shared:]], [max_tokens], caches=[self._prefix_cache]
            )
        else:
            (uid,) = self._generator.insert([prompt], [max_tokens])
        self._tickets += 1
        self._running[uid] = _Running(self._tickets, len(prompt), time.perf_counter())
        return self._tickets

    def step(self) -> list[Finished]:
        """See `Engine.step`."""
        if not self._running:
            return []
        done = []
        for response in self._generator.next_generated():
            running = self._running.get(response.uid)
            if running is None:
                continue
            if response.finish_reason != "stop":
                running.tokens.append(int(response.token))
            if response.finish_reason is not None:
                del self._running[response.uid]
                done.append(self._finish(running, response.finish_reason))
        return done

    def cancel(self, ticket: int) -> None:
        """See `Engine.cancel`."""
        for uid, running in list(self._running.items()):
            if running.ticket == ticket:
                self._generator.remove([uid])
                del self._running[uid]

    def close(self) -> None:
        """See `Engine.close`."""
        self._generator.close()
        self._running.clear()

    def describe(self) -> Description:
        """See `Engine.describe`."""
        return Description("mlx", self._name, mlx_runtime.quantisation(self._model), self._width)

    def _encode(self, messages: list[Message]) -> list[int]:
        # The template writes BOS itself; encoding its text again would write it twice.
        return list(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True))

    def _finish(self, running: _Running, reason: str) -> Finished:
        return Finished(
            ticket=running.ticket,
            text=self._tokenizer.decode(running.tokens).strip(),
            finish_reason=reason,
            tokens_in=running.prompt_tokens,
            tokens_out=len(running.tokens),
            seconds=time.perf_counter() - running.started,
        )


def _sampler(temperature: float) -> Any:
    """One object for all rows; None is greedy. Different objects would cost one call each."""
    if temperature == 0:
        return None
    from mlx_lm.sample_utils import make_sampler

    return make_sampler(temp=temperature)


def choose_width(asked: int) -> int:
    """The asked width, else 32, or 16 below 20 GB of memory.

    On Apple's GPUs 10 to 32 rows cost the same, so nothing between is worth having; on a small
    machine the keys and values of 32 rows would not leave room for the weights.
    """
    import os

    if asked:
        return asked
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 32 if memory >= 20e9 else 16
