"""Who speaks: base and tuned model over one copy of the weights, word by word."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from exchange.engine import Message
from trainer.chat import prompt_tokens
from trainer.serve.running import BASE, TUNED
from trainer.serve.text import Decoder

CACHE_MB = 512  # what was made of the conversation so far, so that it is read only once


@dataclass(slots=True)
class Spoken:
    """What an answer took, filled in as it comes."""

    tokens: int = 0
    seconds: float = 0.0
    ended: str = "stopped"  # "stop" or "length" once it has ended by itself


class Voices:
    """The loaded models. All calls come from one thread.

    Args:
        lanes: a batch for each model, by name.
        context: longest text in tokens; 0 when the model does not say.
    """

    def __init__(self, lanes: dict[str, Any], tokenizer: Any, context: int) -> None:
        self._lanes = lanes
        self._tokenizer = tokenizer
        self._context = context

    def fits(self, turns: list[Message], max_tokens: int) -> bool:
        """Whether a request and its answer go into the context."""
        tokens = len(prompt_tokens(self._tokenizer, turns))
        return not self._context or tokens + max_tokens <= self._context

    def say(
        self, turns: list[Message], max_tokens: int, spoken: Spoken, *, tuned: bool
    ) -> Generator[str, None, None]:
        """The answer in pieces, greedily. Closing the generator ends it.

        Args:
            spoken: filled in meanwhile.
        """
        from trainer.lora.lanes import Draw

        lane = self._lanes[TUNED if tuned else BASE]
        decoder = Decoder(self._tokenizer)
        began = time.perf_counter()
        row = lane.add(prompt_tokens(self._tokenizer, turns), max_tokens, Draw(), None)
        try:
            while True:
                for token in lane.step():
                    spoken.seconds = time.perf_counter() - began
                    if token.end != "stop":
                        spoken.tokens += 1
                        yield decoder.add(token.token)
                    if token.end is not None:
                        yield decoder.end()
                        spoken.ended = token.end
                        return
        finally:
            lane.remove(row)

    def close(self) -> None:
        """Let go of the batches."""
        for lane in self._lanes.values():
            lane.close()


def both(tuned: Any) -> Voices:
    """Base and tuned. Evaluates MLX: do not fork after it.

    Args:
        tuned: a `trainer.tuned.Tuned`.
    """
    from trainer.serve.running import load

    models = load(tuned, 1, CACHE_MB)
    return Voices(dict(models.lanes), models.tokenizer, models.context)


def base_alone(folder: Any) -> Voices:
    """Only the base, where nothing was tuned yet."""
    from exchange import mlx_runtime
    from trainer.encode import context
    from trainer.lora.lanes import Lane, Memory

    model, tokenizer = mlx_runtime.load(folder)
    lane = Lane(BASE, model, sorted(tokenizer.eos_token_ids), 1, Memory(CACHE_MB << 20))
    return Voices({BASE: lane}, tokenizer, context(model))
