"""Between jobs and engine: makes the request, judges the reply, builds the result record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.inference.engine import DEADLINE, Engine, EngineDescription, RequestOutput
from exchange.records import Completion, Result, Task
from workers.grading import NO_PAIR, GradedReply, grade
from workers.recipe import PromptRegistry
from workers.settings import WorkSettings

SEED_STEP = 1_000_003  # a retry's seed is far from every first try's
TRIES = 2  # one retry with another seed when nothing parses; greedy would repeat itself


@dataclass(slots=True)
class _OpenRequest:
    task: Task
    seed: int
    tries: int
    judged: GradedReply | None = None


class RequestBuilder:
    """Keeps the open requests of one worker."""

    def __init__(
        self,
        work: WorkSettings,
        book: PromptRegistry,
        description: EngineDescription,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._work = work
        self._book = book
        self._description = description
        self._clock = clock
        self._orders: dict[int, _OpenRequest] = {}

    def fits(self, task: Task) -> bool:
        """True when the task asks for this worker's model, sampling and prompt of its kind."""
        return self._book.fits(task)

    def submit(self, engine: Engine, task: Task) -> int:
        """Ask for one task's pairs; returns the engine's ticket.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """
        # The seed depends on the task alone, so that any worker gives the same reply.
        return self._submit(engine, task, self._work.seed + int(task.id[:8], 16), 1)

    def _submit(self, engine: Engine, task: Task, seed: int, tries: int) -> int:
        messages = self._book.messages(task)
        ticket = engine.submit(messages, self._work.max_tokens, seed & 0x7FFFFFFF)
        self._orders[ticket] = _OpenRequest(task, seed, tries)
        return ticket

    def wants_retry(self, finished: RequestOutput) -> bool:
        """True when nothing parsed, another seed could change that, and none was tried yet."""
        order = self._orders[finished.ticket]
        if finished.error or self._work.temperature == 0 or order.tries >= TRIES:
            return False
        if finished.finish_reason == DEADLINE:  # it has had its time
            return False
        return self._judged(order, finished).problem == NO_PAIR

    def retry(self, engine: Engine, finished: RequestOutput) -> int:
        """Ask once more with another seed; returns the new ticket."""
        order = self._orders.pop(finished.ticket)
        return self._submit(engine, order.task, order.seed + SEED_STEP, order.tries + 1)

    def result(self, finished: RequestOutput) -> tuple[Result, dict[str, int]]:
        """The record to store and the numbers that may be shown. May be called twice."""
        order = self._orders[finished.ticket]
        task = order.task
        if finished.error:
            return Result(task.id, task.archive, failed=finished.error), {}
        judged = self._judged(order, finished)
        prompt = self._book.prompt_of(task)
        completion = Completion(
            task_id=task.id,
            text=finished.text,
            finish_reason=finished.finish_reason,
            tokens_in=finished.tokens_in,
            tokens_out=finished.tokens_out,
            seconds=round(finished.seconds, 3),
            model=self._book.recipe(task.language).model,
            quantisation=self._description.quantisation,
            engine=self._description.engine,
            prompt=prompt.id,
            prompt_sha=self._book.sha(prompt),
            seed=order.seed & 0x7FFFFFFF,
            generated_at=self._clock().isoformat(timespec="seconds"),
        )
        numbers = {
            "accepted": judged.accepted,
            "rejected": len(judged.pairs) - judged.accepted,
            "tokens": finished.tokens_out,
            **({DEADLINE: 1} if finished.finish_reason == DEADLINE else {}),
        }
        return Result.of(completion, task.archive, judged.pairs, judged.problem), numbers

    def forget(self, ticket: int) -> None:
        """The request is over and stored."""
        self._orders.pop(ticket, None)

    @staticmethod
    def _judged(order: _OpenRequest, finished: RequestOutput) -> GradedReply:
        if order.judged is None:
            order.judged = grade(order.task, finished.text, finished.finish_reason)
        return order.judged
