"""Who speaks: base and tuned model over one copy of the weights, word by word."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from exchange.inference.detokenizer import Detokenizer
from exchange.inference.engine import Message
from trainer.serve.server import BASE, TUNED
from trainer.tokenization import prompt_tokens

CACHE_MB = 512  # what was made of the conversation so far, so that it is read only once


@dataclass(slots=True)
class ReplyUsage:
    """What an answer took, filled in as it comes."""

    tokens: int = 0
    seconds: float = 0.0
    ended: str = "stopped"  # "stop" or "length" once it has ended by itself


class ChatModels:
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
        self, turns: list[Message], max_tokens: int, spoken: ReplyUsage, *, tuned: bool
    ) -> Generator[str, None, None]:
        """The answer in pieces, greedily. Closing the generator ends it.

        Args:
            spoken: filled in meanwhile.
        """
        from exchange.inference.mlx.streaming import SamplingParams

        lane = self._lanes[TUNED if tuned else BASE]
        decoder = Detokenizer(self._tokenizer)
        began = time.perf_counter()
        row = lane.add(prompt_tokens(self._tokenizer, turns), max_tokens, SamplingParams(), None)
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


def open_chat_models(tuned: Any) -> ChatModels:
    """Base and tuned. Evaluates MLX: do not fork after it.

    Args:
        tuned: a `trainer.tuned_model.Tuned`.
    """
    from trainer.serve.server import load_models

    models = load_models(tuned, 1, CACHE_MB)
    return ChatModels(dict(models.lanes), models.tokenizer, models.context)


def open_base_only(folder: Any) -> ChatModels:
    """Only the base, where nothing was tuned yet."""
    from exchange.inference import runtime
    from exchange.inference.mlx.streaming import PrefixCache, StreamingBatch
    from trainer.tokenization import context_length

    model, tokenizer = runtime.load(folder)
    lane = StreamingBatch(
        BASE, model, sorted(tokenizer.eos_token_ids), 1, PrefixCache(CACHE_MB << 20)
    )
    return ChatModels({BASE: lane}, tokenizer, context_length(model))
