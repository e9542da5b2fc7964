"""One model's requests: which wait, which are in the batch, and what becomes of each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exchange.inference import chat_template
from exchange.inference.detokenizer import TextStream, cut_thought
from exchange.inference.engine import RequestOutput
from exchange.inference.mlx.batch import BatchRow, ContinuousBatch
from exchange.inference.mlx.kv_cache import PrefixCache

# Of new prompts in one step: between steps leases are renewed and others' tokens wait, and an old
# machine may read only 100 tokens a second. A longer prompt is read in pieces of `PREFILL_STEP`.
PREFILL_ROWS, PREFILL_TOKENS, PREFILL_STEP = 8, 4096, 2048


@dataclass(slots=True, eq=False)
class MlxRequest:
    """One request from `submit` until it has ended."""

    ticket: int
    row: BatchRow
    stream: TextStream | None
    started: float = 0.0  # when its prompt was begun

    def output(self, reason: str, tokenizer: Any) -> RequestOutput:
        """What is handed over at its end."""
        stop_string = self.stream.stop_string if self.stream else ""
        text = (
            self.stream.text if self.stream and stop_string else tokenizer.decode(self.row.tokens)
        )
        text, only_thought = cut_thought(text, chat_template.think_marks(tokenizer))
        return RequestOutput(
            ticket=self.ticket,
            text=text,
            finish_reason=reason,
            tokens_in=len(self.row.prompt),
            tokens_out=len(self.row.tokens),
            seconds=time.perf_counter() - self.started,
            batch_share_s=self.row.share_s,
            stop_string=stop_string,
            only_thought=only_thought,
        )


class RequestScheduler:
    """The batch of one model, and those who wait for a place in it, follow-ups first.

    Args:
        name: of the model, among the prefixes.
        stops: token ids that end an answer.
        keeps: what was said is remembered among the prefixes.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        width: int,
        stops: Iterable[int],
        prefixes: PrefixCache,
        *,
        keeps: bool,
    ) -> None:
        self.name, self._prefixes = name, prefixes
        self._batch = ContinuousBatch(model, width, stops, self._keep if keeps else None)
        self._waiting: deque[MlxRequest] = deque()
        self._running: dict[BatchRow, MlxRequest] = {}

    @property
    def busy(self) -> bool:
        """Somebody waits, or is being answered."""
        return bool(self._waiting or self._running)

    def pin_prefix(self, tokens: list[int]) -> None:
        """Compute once what prompts begin with."""
        self._prefixes.pin(self.name, self._batch.prefix(tokens))

    def add(self, request: MlxRequest, *, first: bool = False) -> None:
        """Let a request wait for its turn, or be the next."""
        if first:
            self._waiting.appendleft(request)
        else:
            self._waiting.append(request)

    def step(self) -> list[tuple[MlxRequest, str]]:
        """Admit and advance; every row gets its share of the time.

        Returns:
            The requests that ended, and why.
        """
        began = time.perf_counter()
        self._admit()
        rows = self._batch.rows
        if not rows:
            return []
        ended = self._batch.step()
        share = (time.perf_counter() - began) / len(rows)
        for row in rows:
            row.share_s += share
        return [(self._running.pop(row), reason) for row, reason in ended]

    def cancel(self, ticket: int) -> None:
        """Forget a request, if it is here."""
        for request in [one for one in self._waiting if one.ticket == ticket]:
            self._waiting.remove(request)
        for request in [one for one in self._running.values() if one.ticket == ticket]:
            self._remove(request)

    def expire(self, limit: float) -> list[MlxRequest]:
        """Take out those that were begun before this moment."""
        late = [one for one in self._running.values() if one.started < limit]
        for request in late:
            self._remove(request)
        return late

    def clear(self) -> None:
        """Forget all requests."""
        self._waiting.clear()
        for request in list(self._running.values()):
            self._remove(request)

    def _admit(self) -> None:
        """Take some of those that wait; the rest follows, so that no step takes long."""
        new: list[BatchRow] = []
        tokens, moment = 0, time.perf_counter()
        room = min(self._batch.width - len(self._batch.rows), PREFILL_ROWS)
        while self._waiting and len(new) < room and tokens < PREFILL_TOKENS:
            request = self._waiting[0]
            row = request.row
            request.started = request.started or moment
            row.prefix = row.prefix or self._prefixes.find(self.name, row.prompt)
            unread = len(row.unread_prompt())
            if unread > PREFILL_STEP:
                if not new:
                    self._batch.read(row, PREFILL_STEP)
                break
            self._waiting.popleft()
            self._running[row] = request
            new.append(row)
            tokens += unread
        if new:
            self._batch.admit(new)

    def _remove(self, request: MlxRequest) -> None:
        self._batch.remove(request.row)
        del self._running[request.row]

    def _keep(self, row: BatchRow, cache: list[Any]) -> None:
        mark = [] if row.end_mark is None else [row.end_mark]
        self._prefixes.put(self.name, [*row.prompt, *row.tokens, *mark], cache)


class ModelSchedulers:
    """The batches of all models of an engine, and of those that others have followed.

    Args:
        width: rows of each batch.
        stops: token ids that end an answer.
        keeps: what was said is remembered among the prefixes.
    """

    def __init__(
        self, width: int, stops: Iterable[int], prefixes: PrefixCache, *, keeps: bool
    ) -> None:
        self._width, self._stops, self._prefixes = width, list(stops), prefixes
        self._keeps = keeps
        self._current: dict[str, RequestScheduler] = {}
        self._retiring: list[RequestScheduler] = []
        self._replaced = 0

    def __getitem__(self, model: str) -> RequestScheduler:
        return self._current[model]

    def put(self, model: str, module: Any) -> None:
        """A model, or what takes the place of one: whose requests then end as they began."""
        module.eval()
        name = model
        if model in self._current:
            self._retiring.append(self._current[model])
            self._replaced += 1
            name = f"{model} {self._replaced}"  # what one has read is of no use to the next
        self._current[model] = RequestScheduler(
            name, module, self._width, self._stops, self._prefixes, keeps=self._keeps
        )

    def step(self) -> list[tuple[MlxRequest, str]]:
        """See `RequestScheduler.step`."""
        return [ended for scheduler in self._all() for ended in scheduler.step()]

    def expire(self, limit: float) -> list[MlxRequest]:
        """See `RequestScheduler.expire`."""
        return [late for scheduler in self._all() for late in scheduler.expire(limit)]

    def cancel(self, ticket: int) -> None:
        """See `RequestScheduler.cancel`."""
        for scheduler in self._all():
            scheduler.cancel(ticket)

    def clear(self) -> None:
        """See `RequestScheduler.clear`."""
        for scheduler in self._all():
            scheduler.clear()

    def _all(self) -> list[RequestScheduler]:
        self._retiring = [one for one in self._retiring if one.busy]
        return [*self._retiring, *self._current.values()]
