"""The `mlx` engine: the models of this process, a continuous batch for each, shared prefixes.

All of it belongs to one thread: MLX's streams are thread-local, and only lists of Python numbers
may cross. A process that has evaluated anything must not fork.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.inference import chat_template, runtime
from exchange.inference.detokenizer import TextStream
from exchange.inference.engine import (
    BASE,
    DEADLINE,
    GREEDY,
    EngineDescription,
    Likelihood,
    Message,
    RequestOutput,
    SamplingParams,
    TextPiece,
)
from exchange.inference.runtime import LoadedModels
from exchange.inference.watchdog import Watchdog

if TYPE_CHECKING:
    from exchange.inference.mlx.batch import BatchRow, ContinuousBatch

# Of new prompts in one step: between steps leases are renewed and others' tokens wait, and an old
# machine may read only 100 tokens a second. A longer prompt is read in pieces of `PREFILL_STEP`.
PREFILL_ROWS, PREFILL_TOKENS, PREFILL_STEP = 8, 4096, 2048
SHORTEST_PREFIX = 8  # tokens; a shorter common beginning is not worth a cache
OnPiece = Callable[[TextPiece], None]


@dataclass(slots=True, eq=False)
class MlxRequest:
    """One request from `submit` until it has ended."""

    ticket: int
    model: str
    row: BatchRow
    stream: TextStream | None
    started: float = 0.0  # when its prompt was begun


@dataclass(frozen=True, slots=True)
class ModelRequests:
    """One model's batch, and the requests that wait for a place in it."""

    model: str
    batch: ContinuousBatch
    waiting: deque[MlxRequest] = field(default_factory=deque)


class MlxEngine:
    """Behind the `Engine` protocol, a batch of up to `width` rows for every model it holds.

    Args:
        source: a model in Hugging Face layout, or models that are loaded already.
        name: the model as asked for, which is what the recipe counts.
        adapter: of a tuned model over the same weights, where `source` is a folder.
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
        sampling: SamplingParams = GREEDY,
        deadline_s: float = 0.0,
        watchdog_s: float = 0.0,
        cache_bytes: int = 0,
    ) -> None:
        runtime.require_mlx()
        from exchange.inference.mlx.base_and_adapter import load_models
        from exchange.inference.mlx.batch import ContinuousBatch
        from exchange.inference.mlx.prefix_cache import PrefixCache

        loaded = source if isinstance(source, LoadedModels) else load_models(source, adapter)
        self.tokenizer, self.context = loaded.tokenizer, loaded.context
        self._name, self._width = name, width
        self._sampling = sampling
        self._deadline_s = deadline_s
        self._watchdog = Watchdog(watchdog_s)
        self._models = loaded.models
        self._prefixes = PrefixCache(cache_bytes)
        self._requests: dict[str, ModelRequests] = {}
        for model, module in loaded.models.items():
            module.eval()
            keep = self._keeper(model) if cache_bytes else None
            batch = ContinuousBatch(module, width, self.tokenizer.eos_token_ids, keep)
            self._requests[model] = ModelRequests(model, batch)
        self._running: dict[BatchRow, MlxRequest] = {}
        self._tickets = 0
        self._stepping = False
        self._cancelled: set[int] = set()  # during a step

    def share_prefix(
        self, first: list[Message], second: list[Message], *, model: str = BASE
    ) -> int:
        """Compute what two different requests begin with only once, for all requests to come.

        Call it again for another instruction; each request uses the longest that fits.

        Returns:
            How many tokens are shared; 0 when too few are to be worth it.
        """
        one, other = self.encode(first), self.encode(second)
        shared = 0
        while shared < min(len(one), len(other)) - 1 and one[shared] == other[shared]:
            shared += 1
        if shared < SHORTEST_PREFIX:
            return 0
        self._prefixes.pin(model, self._requests[model].batch.prefix(one[:shared]))
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
        """See `Engine.submit`. The same seed and messages give the same text: see `sampler`."""
        prompt = self.encode(messages)
        return self.submit_tokens(
            prompt, max_tokens, seed, sampling=sampling, model=model, on_piece=on_piece
        )

    def submit_tokens(
        self,
        prompt: list[int],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
        model: str = BASE,
        on_piece: OnPiece | None = None,
    ) -> int:
        """As `submit`, for a prompt in tokens.

        Args:
            sampling: of this request; without it the engine's.
            model: which of the engine's models answers.
            on_piece: given the text as it comes. It may cancel requests.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """
        from exchange.inference.mlx.batch import BatchRow
        from exchange.inference.mlx.sampler import fold_seed

        if self.context and len(prompt) + max_tokens > self.context:
            raise ValueError(
                f"prompt of {len(prompt)} tokens and {max_tokens} to come exceed the model's "
                f"context of {self.context}"
            )
        sampling = sampling or self._sampling
        # Without a listener or a stop text nothing is done per token.
        wants_text = on_piece or sampling.stop or sampling.top_logprobs is not None
        stream = TextStream(self.tokenizer, sampling, on_piece) if wants_text else None
        row = BatchRow(
            prompt=prompt,
            max_tokens=max_tokens,
            seed=fold_seed(seed),
            sampling=sampling,
            on_token=stream.add if stream else None,
        )
        self._tickets += 1
        self._requests[model].waiting.append(MlxRequest(self._tickets, model, row, stream))
        return self._tickets

    def step(self) -> list[RequestOutput]:
        """See `Engine.step`."""
        ended: list[tuple[BatchRow, str]] = []
        self._stepping = True
        try:
            with self._watchdog:
                for requests in self._requests.values():
                    ended += self._step_model(requests)
        finally:
            self._stepping = False
        done = [self._finish(self._running.pop(row), reason) for row, reason in ended]
        done += self._expire()
        gone, self._cancelled = self._cancelled, set()
        for ticket in gone:
            self.cancel(ticket)
        return [output for output in done if output.ticket not in gone]

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
        return loglikelihood(self._models[model], rows)

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
        for requests in self._requests.values():
            for request in [one for one in requests.waiting if one.ticket == ticket]:
                requests.waiting.remove(request)
        for request in [one for one in self._running.values() if one.ticket == ticket]:
            self._remove(request)

    def close(self) -> None:
        """See `Engine.close`."""
        self._watchdog.close()
        for requests in self._requests.values():
            requests.waiting.clear()
        for request in list(self._running.values()):
            self._remove(request)

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        quantisation = runtime.quantisation(self._models[BASE])
        return EngineDescription("mlx", self._name, quantisation, self._width)

    def _step_model(self, requests: ModelRequests) -> list[tuple[BatchRow, str]]:
        """Admit and advance; every row gets its share of the time."""
        began = time.perf_counter()
        self._admit(requests)
        rows = requests.batch.rows
        if not rows:
            return []
        ended = requests.batch.step()
        share = (time.perf_counter() - began) / len(rows)
        for row in rows:
            row.share_s += share
        return ended

    def _admit(self, requests: ModelRequests) -> None:
        """Take some of those that wait; the rest follows, so that no step takes long."""
        new: list[BatchRow] = []
        tokens, moment = 0, time.perf_counter()
        room = min(requests.batch.width - len(requests.batch.rows), PREFILL_ROWS)
        while requests.waiting and len(new) < room and tokens < PREFILL_TOKENS:
            request = requests.waiting[0]
            row = request.row
            request.started = request.started or moment
            row.prefix = row.prefix or self._prefixes.find(requests.model, row.prompt)
            unread = len(row.unread_prompt())
            if unread > PREFILL_STEP:
                if not new:
                    requests.batch.read(row, PREFILL_STEP)
                break
            requests.waiting.popleft()
            self._running[row] = request
            new.append(row)
            tokens += unread
        if new:
            requests.batch.admit(new)

    def _expire(self) -> list[RequestOutput]:
        """Requests beyond their time end with what they have."""
        if not self._deadline_s:
            return []
        limit = time.perf_counter() - self._deadline_s
        late = [one for one in self._running.values() if one.started < limit]
        for request in late:
            self._remove(request)
        return [self._finish(request, DEADLINE) for request in late]

    def _remove(self, request: MlxRequest) -> None:
        self._requests[request.model].batch.remove(request.row)
        del self._running[request.row]

    def _keeper(self, model: str) -> Callable[[BatchRow, list[Any]], None]:
        def keep(row: BatchRow, cache: list[Any]) -> None:
            mark = [] if row.end_mark is None else [row.end_mark]
            self._prefixes.put(model, [*row.prompt, *row.tokens, *mark], cache)

        return keep

    def _finish(self, request: MlxRequest, reason: str) -> RequestOutput:
        row, stream = request.row, request.stream
        if stream and reason == DEADLINE:
            stream.finish()
        stop_string = stream.stop_string if stream else ""
        text = stream.text if stream and stop_string else self.tokenizer.decode(row.tokens)
        return RequestOutput(
            ticket=request.ticket,
            text=text.strip(),
            finish_reason=reason,
            tokens_in=len(row.prompt),
            tokens_out=len(row.tokens),
            seconds=time.perf_counter() - request.started,
            batch_share_s=row.share_s,
            stop_string=stop_string,
        )
