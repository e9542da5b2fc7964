"""The `mlx` engine: the models of this process, a continuous batch for each, shared prefixes.

All of it belongs to one thread: MLX's streams are thread-local, and only lists of Python numbers
may cross. A process that has evaluated anything must not fork.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.inference import chat_template, runtime
from exchange.inference.detokenizer import TextStream
from exchange.inference.engine import (
    BASE,
    DEADLINE,
    GREEDY,
    TUNED,
    EngineDescription,
    Likelihood,
    Message,
    RequestOutput,
    SamplingParams,
    TextPiece,
    drain,
)
from exchange.inference.runtime import LoadedModels, Watchdog

if TYPE_CHECKING:
    from exchange.inference.mlx.scheduler import MlxRequest

SHORTEST_PREFIX = 8  # tokens; a shorter common beginning is not worth a cache
OnPiece = Callable[[TextPiece], None]


WIDTH = 32  # rows of `generate_texts`: on Apple's GPUs up to 32 cost the same


class MlxEngine:
    """Behind the `Engine` protocol, a batch of up to `width` rows for every model it holds.

    Args:
        source: a model in Hugging Face layout, or models that are loaded already.
        name: the model as asked for, which is what the recipe counts.
        adapter: of a tuned model over the same weights, where `source` is a folder.
        scales: its strengths, the tuned model's first: see `base_and_adapter.load_models`.
        sampling: of requests that bring none of their own.
        deadline_s: seconds after which a request ends with what it has, counted from its first
            step in the batch; 0: never.
        watchdog_s: seconds without any token after which the process ends itself; 0: never.
        cache_bytes: for conversations that may go on, so that they are read only once.

    Raises:
        UserError: the model cannot be loaded.
    """

    def __init__(
        self,
        source: Path | LoadedModels,
        *,
        name: str,
        width: int,
        adapter: Path | None = None,
        scales: Sequence[float] = (1.0,),
        sampling: SamplingParams = GREEDY,
        deadline_s: float = 0.0,
        watchdog_s: float = 0.0,
        cache_bytes: int = 0,
    ) -> None:
        runtime.require_mlx()
        from exchange.inference.mlx.base_and_adapter import load_models
        from exchange.inference.mlx.kv_cache import PrefixCache
        from exchange.inference.mlx.scheduler import ModelSchedulers

        loaded = (
            source if isinstance(source, LoadedModels) else load_models(source, adapter, scales)
        )
        self.tokenizer, self.context = loaded.tokenizer, loaded.context
        self._name, self._width = name, width
        self._sampling = sampling
        self._deadline_s = deadline_s
        self._watchdog = Watchdog(watchdog_s)
        self._models = loaded.models
        self._prefixes = prefixes = PrefixCache(cache_bytes)
        stops = self.tokenizer.eos_token_ids
        self._schedulers = ModelSchedulers(width, stops, prefixes, keeps=cache_bytes > 0)
        for model, module in loaded.models.items():
            self._schedulers.put(model, module)
        self._tickets = 0
        self._stepping = False
        self._cancelled: set[int] = set()  # during a step

    def replace_adapter(self, adapter: Path, scale: float = 1.0) -> None:
        """Put another adapter in the tuned model's place.

        Requests that were submitted before end with the one that they began with.

        Raises:
            UserError: it cannot be loaded; the one before stays.
        """
        from exchange.inference.mlx.base_and_adapter import tuned_models

        tuned = tuned_models(self._models[BASE], adapter, (scale,))
        self._models = {**self._models, **tuned}
        self._schedulers.put(TUNED, self._models[TUNED])

    def share_prefix(
        self, first: list[Message], second: list[Message], *, model: str = BASE
    ) -> int:
        """Compute what two different requests begin with only once, for all requests to come.

        Call it again for another instruction; each request uses the longest that fits.

        Returns:
            How many tokens are shared; 0 when too few are to be worth it.
        """
        one, other = self.encode(first), self.encode(second)
        shared = chat_template.shared_length(one[:-1], other[:-1])
        if shared < SHORTEST_PREFIX:
            return 0
        self._schedulers[model].pin_prefix(one[:shared])
        return shared

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The tokens after which the answer begins."""
        return chat_template.apply(self.tokenizer, messages)

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
        model: str = BASE,
        on_piece: OnPiece | None = None,
    ) -> int:
        """See `Engine.submit`. The same seed and messages give the same text: see `batch`."""
        prompt = self.encode(messages)
        return self.submit_tokens(
            prompt, max_tokens, seed, sampling=sampling, model=model, on_piece=on_piece
        )

    def follow_up(self, messages: list[Message], max_tokens: int) -> int:
        """See `FollowUpEngine.follow_up`; what it says is not remembered itself."""
        prompt = self.encode(messages)
        return self.submit_tokens(prompt, max_tokens, 0, sampling=GREEDY, follow_up=True)

    def submit_tokens(
        self,
        prompt: list[int],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
        model: str = BASE,
        on_piece: OnPiece | None = None,
        follow_up: bool = False,
    ) -> int:
        """As `submit`, for a prompt in tokens.

        Args:
            sampling: of this request; without it the engine's.
            model: which of the engine's models answers.
            on_piece: given the text as it comes. It may cancel requests.
            follow_up: the next to be admitted, and nobody goes on from it.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """
        from exchange.inference.mlx.batch import BatchRow, fold_seed
        from exchange.inference.mlx.scheduler import MlxRequest

        if self.context and len(prompt) + max_tokens > self.context:
            raise ValueError(
                f"prompt of {len(prompt)} tokens and {max_tokens} to come exceed the model's "
                f"context of {self.context}"
            )
        sampling = sampling or self._sampling
        # Without a listener or a stop text nothing is done per token.
        wants_text = on_piece or sampling.stop or sampling.top_logprobs is not None
        marks = chat_template.think_marks(self.tokenizer)
        stream = TextStream(self.tokenizer, sampling, on_piece, marks) if wants_text else None
        row = BatchRow(
            prompt=prompt,
            max_tokens=max_tokens,
            seed=fold_seed(seed),
            sampling=sampling,
            on_token=stream.add if stream else None,
            keep=not follow_up,
        )
        self._tickets += 1
        request = MlxRequest(self._tickets, row, stream)
        self._schedulers[model].add(request, first=follow_up)
        return self._tickets

    def step(self) -> list[RequestOutput]:
        """See `Engine.step`."""
        ended: list[tuple[MlxRequest, str]] = []
        self._stepping = True
        try:
            with self._watchdog:
                ended += self._schedulers.step()
        finally:
            self._stepping = False
        if self._deadline_s:  # those beyond their time end with what they have
            limit = time.perf_counter() - self._deadline_s
            ended += [(request, DEADLINE) for request in self._schedulers.expire(limit)]
        gone, self._cancelled = self._cancelled, set()
        for ticket in gone:
            self.cancel(ticket)
        return [
            request.output(reason, self.tokenizer)
            for request, reason in ended
            if request.ticket not in gone
        ]

    def loglikelihood(
        self, prompts: Sequence[list[Message]], completions: Sequence[str], *, model: str = BASE
    ) -> list[Likelihood]:
        """See `LikelihoodEngine.loglikelihood`."""
        from exchange.inference.mlx.scoring import loglikelihood

        rows = [
            chat_template.encode_conversation(
                self.tokenizer, [*prompt, {"role": "assistant", "content": completion}]
            )
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        prefixes, name = self._prefixes, self._schedulers[model].name
        find, keep = partial(prefixes.find, name), partial(prefixes.put, name)
        return loglikelihood(self._models[model], rows, find, keep)

    def choice_logits(
        self, prompts: Sequence[list[int]], choices: Sequence[int], *, model: str = BASE
    ) -> Any:
        """The logits of some token ids after each prompt, (prompts, choices) in numpy."""
        from exchange.inference.mlx.scoring import choice_logits

        return choice_logits(self._models[model], prompts, choices, self._width)

    def cancel(self, ticket: int) -> None:
        """See `Engine.cancel`."""
        if self._stepping:  # the batch is under way: at the end of the step
            self._cancelled.add(ticket)
            return
        self._schedulers.cancel(ticket)

    def close(self) -> None:
        """See `Engine.close`."""
        self._watchdog.close()
        self._schedulers.clear()

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        quantisation = runtime.quantisation(self._models[BASE])
        return EngineDescription("mlx", self._name, quantisation, self._width)


def generate_texts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_tokens: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """The answers' texts, in the order of the prompts. Leaves the model evaluating, not training.

    Args:
        progress: called with answers done and answers in all.
    """
    texts = [""] * len(prompts)
    done = 0

    def on_output(number: int, output: RequestOutput) -> None:
        nonlocal done
        texts[number] = output.text
        done += 1
        progress(done, len(prompts))

    width = min(WIDTH, max(1, len(prompts)))
    engine = MlxEngine(LoadedModels({BASE: model}, tokenizer, 0), name="", width=width)
    try:
        tickets = [engine.submit_tokens(list(prompt), max_tokens, 0) for prompt in prompts]
        drain(engine, {ticket: number for number, ticket in enumerate(tickets)}, on_output)
    finally:
        engine.close()
    return texts
