"""What a text generation engine is, for whoever drives one.

An engine knows nothing about tasks, Redis or pairs: messages go in, finished text comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Message = dict[str, str]  # {"role": ..., "content": ...}
DEADLINE = "deadline"  # finish reason of a request that took longer than it may
BASE, TUNED = "base", "tuned"  # the models that one engine may hold


def scaled_name(scale: float) -> str:
    """The name of a tuned model beside the whole one whose adapter counts in part: "tuned-0.5"."""
    return f"{TUNED}-{scale:g}"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen, where the text ends, and what is told of its tokens."""

    temperature: float = 0.0  # 0 takes the most probable token
    top_p: float = 1.0  # the smallest set of tokens with this much probability; 1: all
    stop: tuple[str, ...] = ()  # the answer ends before the first of these texts
    top_logprobs: int | None = None  # most probable tokens told with each; None: no probabilities


GREEDY = SamplingParams()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token's text and its log-probability before temperature, among the most probable ones."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()  # best first


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some text of an answer under way, in whole letters, and what was asked of its tokens."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    tokens: int = 0  # since the last piece


@dataclass(frozen=True, slots=True)
class RequestOutput:
    """One request that is done. `error` holds a reason code when it could not be served."""

    ticket: int
    text: str
    finish_reason: str  # "stop", "length", `DEADLINE`, "other"
    tokens_in: int
    tokens_out: int
    seconds: float
    error: str = ""
    batch_share_s: float = 0.0  # its share of the steps it was in, where the engine knows it
    stop_string: str = ""  # the stop text that ended it; the end mark leaves ""
    only_thought: bool = False  # no answer came: all of it was a block of thought


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """What a worker announces: its model as asked for, and how it runs."""

    engine: str
    model: str
    quantisation: str
    width: int


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How probable an answer is to a model: natural logarithm, summed over its tokens."""

    logprob: float
    tokens: int  # the end mark among them

    @property
    def mean(self) -> float:
        """Per token, so that answers of different lengths compare."""
        return self.logprob / self.tokens


@runtime_checkable
class Engine(Protocol):
    """A continuous batch of up to `width` requests; driven by one thread only."""

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
    ) -> int:
        """Queue one request and return its ticket. Never blocks.

        Args:
            sampling: temperature and top_p of this request; without it the engine's.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """

    def step(self) -> list[RequestOutput]:
        """Advance all requests by about one token; those that ended are returned once."""

    def cancel(self, ticket: int) -> None:
        """Forget a request; unknown tickets are ignored."""

    def close(self) -> None:
        """Give back memory and connections. The engine is not used again."""

    def describe(self) -> EngineDescription:
        """What runs here; compared with what the archive's recipe asks for."""


@runtime_checkable
class PrefixSharing(Protocol):
    """What an engine may also do: compute once what many prompts begin with."""

    def share_prefix(self, first: list[Message], second: list[Message]) -> int:
        """Keep what two different requests have in common; returns how many tokens that is."""


@runtime_checkable
class FollowUpEngine(Protocol):
    """What an engine may also do: go on from a prompt that it has only just read."""

    def follow_up(self, messages: list[Message], max_tokens: int) -> int:
        """Submit a request that begins as one that has just ended; returns its ticket.

        It goes ahead of those that wait, while that beginning is still known, and is greedy.

        Raises:
            ValueError: the prompt does not fit the model's context.
        """


@runtime_checkable
class LikelihoodEngine(Protocol):
    """What an engine may also do: say how probable given answers are. An endpoint cannot."""

    def loglikelihood(
        self, prompts: Sequence[list[Message]], completions: Sequence[str]
    ) -> list[Likelihood]:
        """Of each completion after its prompt, in order, between two steps."""


def drain(
    engine: Engine,
    tickets: Mapping[int, int],
    on_output: Callable[[int, RequestOutput], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Step until every one of these requests has ended, or `stop` is true.

    Args:
        tickets: ticket to the caller's own number of the request.
        on_output: called with that number as each request ends.
        stop: looked at before every step; what is left is then cancelled.
    """
    waiting = dict(tickets)
    try:
        while waiting and not stop():
            for output in engine.step():
                if output.ticket in waiting:
                    on_output(waiting.pop(output.ticket), output)
    finally:
        for ticket in waiting:
            engine.cancel(ticket)
