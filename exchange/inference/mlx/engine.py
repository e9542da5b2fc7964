"""The `mlx` engine: one model in this process, one continuous batch, shared prefixes.

All of it belongs to one thread: MLX's streams are thread-local, and only lists of Python numbers
may cross. A process that has evaluated anything must not fork.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.inference import chat_template, runtime
from exchange.inference.engine import (
    DEADLINE,
    EngineDescription,
    Likelihood,
    Message,
    RequestOutput,
)
from exchange.inference.watchdog import Watchdog

if TYPE_CHECKING:
    from exchange.inference.mlx.batch import BatchRow, CachedPrefix

# Of new prompts in one step: between steps leases are renewed, and an old machine may read only
# 100 tokens a second.
PREFILL_ROWS, PREFILL_TOKENS = 8, 4096
SHORTEST_PREFIX = 8  # tokens; a shorter common beginning is not worth a cache


@dataclass(frozen=True, slots=True)
class _Request:
    ticket: int
    row: BatchRow
    started: float


class MlxEngine:
    """Behind the `Engine` protocol, a batch of up to `width` rows.

    Args:
        folder: the model, in Hugging Face layout.
        name: the model as asked for, which is what the recipe counts.
        deadline_s: seconds after which a request ends with what it has, counted from its first
            step in the batch; 0: never.
        watchdog_s: seconds without any token after which the process ends itself; 0: never.

    Raises:
        UserError: the model cannot be loaded.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        width: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        deadline_s: float = 0.0,
        watchdog_s: float = 0.0,
    ) -> None:
        runtime.require_mlx()
        from exchange.inference.mlx.batch import ContinuousBatch
        from exchange.inference.mlx.sampler import make_sampler

        self._name = name
        self._deadline_s = deadline_s
        self._watchdog = Watchdog(watchdog_s)
        self._model, self._tokenizer = runtime.load(folder)
        self._context = int(getattr(self._model.args, "max_position_embeddings", 0) or 0)
        self._batch = ContinuousBatch(
            self._model, width, self._tokenizer.eos_token_ids, make_sampler(temperature, top_p)
        )
        self._waiting: deque[_Request] = deque()
        self._running: dict[BatchRow, _Request] = {}
        self._tickets = 0
        self._prefixes: list[CachedPrefix] = []  # longest first

    def share_prefix(self, first: list[Message], second: list[Message]) -> int:
        """Compute what two different requests begin with only once, for all requests to come.

        Call it again for another instruction; each request uses the longest that fits.

        Returns:
            How many tokens are shared; 0 when too few are to be worth it.
        """
        one, other = self._encode(first), self._encode(second)
        shared = 0
        while shared < min(len(one), len(other)) - 1 and one[shared] == other[shared]:
            shared += 1
        if shared < SHORTEST_PREFIX:
            return 0
        self._prefixes.append(self._batch.prefix(one[:shared]))
        self._prefixes.sort(key=lambda prefix: -len(prefix.tokens))
        return shared

    def submit(self, messages: list[Message], max_tokens: int, seed: int) -> int:
        """See `Engine.submit`. The same seed and messages give the same text: `mlx_sampling`."""
        from exchange.inference.mlx.batch import BatchRow

        prompt = self._encode(messages)
        if self._context and len(prompt) + max_tokens > self._context:
            raise ValueError(
                f"prompt of {len(prompt)} tokens and {max_tokens} to come exceed the model's "
                f"context of {self._context}"
            )
        row = BatchRow(prompt, max_tokens, seed, self._longest_prefix(prompt))
        self._tickets += 1
        self._waiting.append(_Request(self._tickets, row, 0.0))
        return self._tickets

    def step(self) -> list[RequestOutput]:
        """See `Engine.step`."""
        with self._watchdog:
            self._admit()
            ended = self._batch.step()
        done = [self._finish(self._running.pop(row), reason) for row, reason in ended]
        return done + self._overdue()

    def loglikelihood(
        self, prompts: Sequence[list[Message]], completions: Sequence[str]
    ) -> list[Likelihood]:
        """See `Judges.loglikelihood`."""
        from exchange.inference.mlx.scoring import loglikelihood as score

        rows = [
            chat_template.encode_conversation(
                self._tokenizer, [*prompt, {"role": "assistant", "content": completion}]
            )
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        return score(self._model, rows)

    def cancel(self, ticket: int) -> None:
        """See `Engine.cancel`."""
        self._waiting = deque(one for one in self._waiting if one.ticket != ticket)
        for request in [one for one in self._running.values() if one.ticket == ticket]:
            self._batch.remove(request.row)
            del self._running[request.row]

    def close(self) -> None:
        """See `Engine.close`."""
        self._watchdog.close()
        self._waiting.clear()
        for ticket in [one.ticket for one in self._running.values()]:
            self.cancel(ticket)

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        return EngineDescription(
            "mlx", self._name, runtime.quantisation(self._model), self._batch.width
        )

    def _admit(self) -> None:
        """Take some of those that wait; the rest follows, so that no step takes long."""
        new: list[BatchRow] = []
        tokens, moment = 0, time.perf_counter()
        room = min(self._batch.width - len(self._batch.rows), PREFILL_ROWS)
        while self._waiting and len(new) < room and tokens < PREFILL_TOKENS:
            one = self._waiting.popleft()
            self._running[one.row] = _Request(one.ticket, one.row, moment)
            new.append(one.row)
            tokens += len(one.row.rest())
        if new:
            self._batch.admit(new)

    def _overdue(self) -> list[RequestOutput]:
        """Requests beyond their time end with what they have."""
        if not self._deadline_s:
            return []
        limit = time.perf_counter() - self._deadline_s
        late = [one for one in self._running.values() if one.started < limit]
        for request in late:
            self._batch.remove(request.row)
            del self._running[request.row]
        return [self._finish(request, DEADLINE) for request in late]

    def _longest_prefix(self, prompt: list[int]) -> CachedPrefix | None:
        for prefix in self._prefixes:
            size = len(prefix.tokens)
            if len(prompt) > size and prompt[:size] == prefix.tokens:
                return prefix
        return None

    def _encode(self, messages: list[Message]) -> list[int]:
        return chat_template.apply(self._tokenizer, messages)

    def _finish(self, request: _Request, reason: str) -> RequestOutput:
        return RequestOutput(
            ticket=request.ticket,
            text=self._tokenizer.decode(request.row.tokens).strip(),
            finish_reason=reason,
            tokens_in=len(request.row.prompt),
            tokens_out=len(request.row.tokens),
            seconds=time.perf_counter() - request.started,
        )
