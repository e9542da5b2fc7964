"""Base and tuned model on this machine, side by side over one copy of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from exchange import lock
from exchange.inference import chat_template, runtime
from exchange.inference.engine import Likelihood
from exchange.records import digest
from trainer.evaluate.systems.client import Messages, ModelOutput
from trainer.tokenization import prompt_tokens

VERSION = 1  # of how answers are decoded and weighed: others are not taken from the store
_TOKENS_A_CHARACTER = 2  # at most: a Greek letter is two bytes, and a token at least one
_TEMPLATE = 64  # tokens that a template may add to a turn


class LocalWeights:
    """The model, loaded when first needed; a context that gives the memory and the GPU back.

    Args:
        base: the model's folder.
        adapter: the tuned run's folder, None when there is none.
        data: where the lock of the GPU is.
    """

    def __init__(
        self,
        base: Path,
        adapter: Path | None,
        data: Path,
        width: int,
        note: Callable[[str], None],
    ) -> None:
        self.base, self.adapter, self.width = base, adapter, width
        self._data, self._note = data, note
        self._held = ExitStack()
        self._loaded: tuple[Any, Any, Any] | None = None  # base, tuned, tokenizer
        self._tokenizer: Any = None
        config = orjson.loads((base / "config.json").read_bytes())
        self.context = int(config.get("max_position_embeddings") or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loaded = None
        self._held.close()

    @property
    def tokenizer(self) -> Any:
        """Without the model, as long as that is not needed."""
        if self._loaded:
            return self._loaded[2]
        if self._tokenizer is None:
            self._tokenizer = runtime.tokenizer(self.base)
        return self._tokenizer

    def use(self, tuned: bool) -> tuple[Any, Any]:
        """Model and tokenizer, with or without what was learned.

        Raises:
            UserError: the model cannot be loaded, or another run has the GPU.
        """
        if self._loaded is None:
            self._held.enter_context(lock.hold_gpu(self._data, shared=True))
            self._note(f"loading {self.base.name}" + (" and its adapter" if self.adapter else ""))
            self._loaded = self._load()
        base, learned, tokenizer = self._loaded
        return (learned if tuned else base), tokenizer

    def _load(self) -> tuple[Any, Any, Any]:
        if self.adapter is None:
            model, tokenizer = runtime.load(self.base)
            return model, model, tokenizer
        from exchange.inference.mlx import base_and_adapter

        return base_and_adapter.load(self.base, self.adapter)


class LocalModel:
    """One of the two that live in the weights."""

    likelihood = True

    def __init__(
        self, weights: LocalWeights, *, tuned: bool, model_sha: str, adapter_sha: str
    ) -> None:
        self._weights, self._tuned = weights, tuned
        self.key = digest(f"mlx {VERSION}", model_sha, adapter_sha if tuned else "", size=8)
        self.about = "the tuned model" if tuned else "the model as it was"

    def fits(self, prompt: Messages, max_tokens: int) -> bool:
        """See `Speaker.fits`. Counts tokens only where characters alone cannot tell."""
        limit = self._weights.context
        if not limit:
            return True
        characters = sum(len(turn["content"]) for turn in prompt)
        if characters * _TOKENS_A_CHARACTER + _TEMPLATE * len(prompt) + max_tokens <= limit:
            return True
        return len(prompt_tokens(self._weights.tokenizer, prompt)) + max_tokens <= limit

    def answer(
        self,
        prompts: Sequence[Messages],
        max_tokens: int,
        ended: Callable[[int, ModelOutput], None],
        stop: Callable[[], bool],
    ) -> None:
        """See `Speaker.answer`: one continuous batch, longest prompts last."""
        from exchange.inference.mlx.generate import GreedyReply, generate_each

        model, tokenizer = self._weights.use(self._tuned)
        tokens = [prompt_tokens(tokenizer, prompt) for prompt in prompts]
        order = []
        for number in sorted(range(len(tokens)), key=lambda n: len(tokens[n])):
            if self._weights.context and len(tokens[number]) >= self._weights.context:
                ended(number, ModelOutput("", len(tokens[number]), 0, 0.0, "error", "too-long"))
            else:
                order.append(number)

        def replied(place: int, reply: GreedyReply) -> None:
            number = order[place]
            ended(
                number,
                ModelOutput(
                    reply.text,
                    len(tokens[number]),
                    len(reply.tokens),
                    reply.seconds,
                    reply.finish_reason,
                ),
            )

        generate_each(
            model,
            tokenizer,
            [tokens[number] for number in order],
            max_tokens,
            replied,
            width=self._weights.width,
            stop=stop,
        )

    def weigh(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[str],
        weighed: Callable[[int, Likelihood], None],
        stop: Callable[[], bool],
    ) -> None:
        """See `Speaker.weigh`: a prompt is computed once for all its completions."""
        from exchange.inference.mlx.scoring import loglikelihood

        model, tokenizer = self._weights.use(self._tuned)
        model.eval()
        for _, group in groupby(range(len(prompts)), key=lambda n: prompts[n]):
            if stop():
                return
            numbers = list(group)
            rows = [
                chat_template.encode_conversation(
                    tokenizer, [*prompts[n], {"role": "assistant", "content": completions[n]}]
                )
                for n in numbers
            ]
            for number, likelihood in zip(numbers, loglikelihood(model, rows), strict=True):
                weighed(number, likelihood)
