"""Base and tuned model on this machine, side by side over one copy of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from exchange import lock
from exchange.inference import runtime
from exchange.inference.engine import (
    BASE,
    GREEDY,
    TUNED,
    Likelihood,
    SamplingParams,
    drain,
    scaled_name,
)
from exchange.inference.models import context_length, read_config
from exchange.records import digest
from trainer.evaluate.systems.client import Messages, ModelOutput
from trainer.tokenization import prompt_tokens

if TYPE_CHECKING:
    from exchange.inference.mlx.engine import MlxEngine

VERSION = 1  # of how answers are decoded and weighed: others are not taken from the store
_TOKENS_A_CHARACTER = 2  # at most: a Greek letter is two bytes, and a token at least one
_TEMPLATE = 64  # tokens that a template may add to a turn


class LocalWeights:
    """The model, loaded when first needed; a context that gives the memory and the GPU back.

    Args:
        base: the model's folder.
        adapter: the tuned run's folder, None when there is none.
        scales: its strengths that are asked, the tuned model's first.
        data: where the lock of the GPU is.
    """

    def __init__(
        self,
        base: Path,
        adapter: Path | None,
        data: Path,
        width: int,
        note: Callable[[str], None],
        scales: Sequence[float] = (1.0,),
    ) -> None:
        self._scales = tuple(scales)
        self.base, self.adapter, self.width = base, adapter, width
        self._data, self._note = data, note
        self._held = ExitStack()
        self._engine: MlxEngine | None = None
        self._tokenizer: Any = None
        self.context = context_length(read_config(base))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._engine:
            self._engine.close()
        self._engine = None
        self._held.close()

    @property
    def tokenizer(self) -> Any:
        """Without the model, as long as that is not needed."""
        if self._engine:
            return self._engine.tokenizer
        if self._tokenizer is None:
            self._tokenizer = runtime.tokenizer(self.base)
        return self._tokenizer

    def engine(self) -> MlxEngine:
        """Base and tuned model, loaded at the first call.

        Raises:
            UserError: the model cannot be loaded, or another run has the GPU.
        """
        if self._engine is None:
            from exchange.inference.mlx.engine import MlxEngine

            self._held.enter_context(lock.hold_gpu(self._data, shared=True))
            self._note(f"loading {self.base.name}" + (" and its adapter" if self.adapter else ""))
            self._engine = MlxEngine(
                self.base,
                name=self.base.name,
                width=self.width,
                adapter=self.adapter,
                scales=self._scales,
            )
        return self._engine


class LocalModel:
    """One of those that live in the weights: the base, the tuned model, or that in part.

    Args:
        scale: strength of the adapter; one of the weights' own.
        beside: it is not the tuned model itself, but asked beside it under a name of its own.
    """

    likelihood = True

    def __init__(
        self,
        weights: LocalWeights,
        *,
        tuned: bool,
        model_sha: str,
        adapter_sha: str,
        scale: float = 1.0,
        beside: bool = False,
    ) -> None:
        self._weights, self._model = weights, TUNED if tuned else BASE
        self.about = "the tuned model" if tuned else "the model as it was"
        if beside:
            self._model = scaled_name(scale)
        if scale != 1:
            self.about += f" at strength {scale:g}"
            adapter_sha += f" {scale:g}"
        self.key = digest(f"mlx {VERSION}", model_sha, adapter_sha if tuned else "", size=8)

    def fits(self, prompt: Messages, max_tokens: int) -> bool:
        """See `ModelClient.fits`. Counts tokens only where characters alone cannot tell."""
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
        sampling: SamplingParams = GREEDY,
        seed: int = 0,
    ) -> None:
        """See `ModelClient.answer`: one continuous batch, longest prompts last."""
        engine = self._weights.engine()
        context = engine.context
        tokens = [engine.encode(prompt) for prompt in prompts]
        tickets = {}
        for number in sorted(range(len(tokens)), key=lambda n: len(tokens[n])):
            prompt = tokens[number]
            if context and len(prompt) >= context:
                ended(number, ModelOutput("", len(prompt), 0, 0.0, "error", "too-long"))
                continue
            longest = min(max_tokens, context - len(prompt)) if context else max_tokens
            ticket = engine.submit_tokens(
                prompt, longest, seed, sampling=sampling, model=self._model
            )
            tickets[ticket] = number
        drain(engine, tickets, lambda number, done: ended(number, ModelOutput.of(done)), stop)

    def loglikelihood(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[str],
        weighed: Callable[[int, Likelihood], None],
        stop: Callable[[], bool],
    ) -> None:
        """See `ModelClient.loglikelihood`: a prompt is computed once for all its completions."""
        engine = self._weights.engine()
        for _, group in groupby(range(len(prompts)), key=lambda n: prompts[n]):
            if stop():
                return
            numbers = list(group)
            found = engine.loglikelihood(
                [prompts[n] for n in numbers], [completions[n] for n in numbers], model=self._model
            )
            for number, likelihood in zip(numbers, found, strict=True):
                weighed(number, likelihood)
