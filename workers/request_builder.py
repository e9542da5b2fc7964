"""Between jobs and engine: make the request, grade the reply, build the result record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exchange.inference.engine import (
    DEADLINE,
    Engine,
    EngineDescription,
    PrefixSharing,
    RequestOutput,
)
from exchange.recipes.prompts import TaskPrompt
from exchange.recipes.registry import PromptRegistry
from exchange.records import (
    NO_PAIR,
    ONLY_THOUGHT,
    TOO_SLOW,
    Completion,
    Result,
    Task,
)
from workers.grading import GradedReply, grade
from workers.settings import WorkSettings
from workers.verify.step import ReadBack

MOST_SEED = 0x7FFFFFFF  # what every endpoint takes
SEED_STEP = 1_000_003  # a retry's seed is far from every first try's
TRIES = 2  # one retry with another seed when nothing parses; greedy would repeat itself


@dataclass(slots=True)
class _OpenRequest:
    task: Task
    seed: int
    tries: int
    graded: GradedReply | None = None
    output: RequestOutput | None = None  # of the reply, while its pairs are read back
    read_back: ReadBack | None = None


class RequestBuilder:
    """Makes one worker's requests, and keeps them until their results are stored."""

    def __init__(
        self,
        work: WorkSettings,
        prompts: PromptRegistry,
        description: EngineDescription,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._work = work
        self._prompts = prompts
        self._description = description
        self._clock = clock
        self._open: dict[int, _OpenRequest] = {}
        self._following: dict[int, int] = {}  # a follow-up's ticket: the reply's

    def fits(self, task: Task) -> bool:
        """True when the task asks for this worker's model, sampling and prompt of its kind."""
        return self._prompts.fits(task)

    def submit(self, engine: Engine, task: Task) -> int:
        """Submit the request for one task's pairs; returns the engine's ticket.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """
        return self._submit(engine, task, first_seed(self._work, task), 1)

    def _submit(self, engine: Engine, task: Task, seed: int, tries: int) -> int:
        messages = self._prompts.messages(task)
        ticket = engine.submit(messages, self._work.max_tokens, seed & MOST_SEED)
        self._open[ticket] = _OpenRequest(task, seed, tries)
        return ticket

    def advance(
        self, engine: Engine, finished: RequestOutput, *, may_retry: bool = True
    ) -> tuple[RequestOutput | None, list[int]]:
        """Take what the engine has finished: have its pairs read back, or ask once more.

        Args:
            may_retry: ask once more with another seed when nothing parsed.

        Returns:
            The reply whose `result` is complete, None while requests of its task are open; and
            the tickets of those that were submitted now.
        """
        if finished.ticket in self._following:
            return self._read_back(finished), []
        if may_retry and self._wants_retry(finished):
            return None, [self._retry(engine, finished)]
        tickets = self._verify(engine, finished)
        return (None, tickets) if tickets else (finished, [])

    def _wants_retry(self, finished: RequestOutput) -> bool:
        """True when nothing parsed, another seed could change that, and none was tried yet."""
        request = self._open[finished.ticket]
        if finished.error or self._work.temperature == 0 or request.tries >= TRIES:
            return False
        if finished.finish_reason == DEADLINE:  # it has had its time
            return False
        return self._grade(request, finished).problem == NO_PAIR

    def _retry(self, engine: Engine, finished: RequestOutput) -> int:
        request = self._open.pop(finished.ticket)
        return self._submit(engine, request.task, request.seed + SEED_STEP, request.tries + 1)

    def _verify(self, engine: Engine, finished: RequestOutput) -> list[int]:
        """Have the accepted pairs of a reply read back, where that is asked for."""
        request = self._open[finished.ticket]
        if not self._work.verify or finished.error:
            return []
        graded = self._grade(request, finished)
        request.read_back = ReadBack.begin(engine, self._prompts, request.task, graded.pairs)
        request.output = finished
        for ticket in request.read_back.open:
            self._following[ticket] = finished.ticket
        self._take_scores(request)
        return list(request.read_back.open)

    def _read_back(self, finished: RequestOutput) -> RequestOutput | None:
        """A follow-up has ended: the reply it belongs to, once that has no other open."""
        request = self._open[self._following.pop(finished.ticket)]
        assert request.read_back is not None
        request.read_back.add(finished)
        self._take_scores(request)
        return None if request.read_back.open else request.output

    @staticmethod
    def _take_scores(request: _OpenRequest) -> None:
        if request.graded is not None and request.read_back is not None:
            scored = request.read_back.apply(request.graded.pairs)
            request.graded = replace(request.graded, pairs=scored)

    def result(self, finished: RequestOutput) -> tuple[Result, dict[str, int]]:
        """The record to store and the numbers that may be shown. May be called twice."""
        request = self._open[finished.ticket]
        task = request.task
        if finished.error:
            return Result(task.id, task.archive, failed=finished.error), {}
        graded = self._grade(request, finished)
        result = make_result(
            task,
            finished,
            graded,
            prompts=self._prompts,
            description=self._description,
            seed=request.seed,
            at=self._clock(),
        )
        numbers = {
            "accepted": graded.accepted,
            "rejected": len(graded.pairs) - graded.accepted,
            "tokens": finished.tokens_out,
            **({DEADLINE: 1} if finished.finish_reason == DEADLINE else {}),
        }
        return result, numbers

    def forget(self, ticket: int) -> None:
        """The request is over and stored."""
        self._open.pop(ticket, None)

    @staticmethod
    def _grade(request: _OpenRequest, finished: RequestOutput) -> GradedReply:
        if request.graded is None:
            request.graded = grade(request.task, finished.text, finished.finish_reason)
        return request.graded


def first_seed(work: WorkSettings, task: Task) -> int:
    """The seed of a task's first request: of the task alone, so that any worker says the same."""
    return work.seed + int(task.id[:8], 16) & MOST_SEED


def make_result(
    task: Task,
    finished: RequestOutput,
    graded: GradedReply,
    *,
    prompts: PromptRegistry,
    description: EngineDescription,
    seed: int,
    at: datetime,
) -> Result:
    """The record of a reply and its graded pairs."""
    prompt = prompts.prompt_of(task)
    completion = Completion(
        task_id=task.id,
        text=finished.text,
        finish_reason=finished.finish_reason,
        tokens_in=finished.tokens_in,
        tokens_out=finished.tokens_out,
        seconds=round(finished.seconds, 3),
        model=prompts.recipe(task.language).model,
        quantisation=description.quantisation,
        engine=description.engine,
        prompt=prompt.id,
        prompt_sha=prompts.sha(prompt),
        seed=seed & MOST_SEED,
        generated_at=at.isoformat(timespec="seconds"),
    )
    problem = graded.problem
    if problem == NO_PAIR and finished.only_thought:
        problem = ONLY_THOUGHT
    elif problem == NO_PAIR and finished.finish_reason == DEADLINE:
        problem = TOO_SLOW
    return Result.of(completion, task.archive, graded.pairs, problem)


def share_prefix(engine: Engine, prompt: TaskPrompt, system: str) -> int:
    """Let the engine compute once what all requests of a prompt begin with.

    Returns:
        How many tokens that is; 0 where the engine cannot share.
    """
    if not isinstance(engine, PrefixSharing):
        return 0
    return engine.share_prefix(*(prompt.messages(c, c, system) for c in ("α", "1")))
