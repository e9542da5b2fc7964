"""What a text generation engine is, for whoever drives one.

An engine knows nothing about tasks, Redis or pairs: messages go in, finished text comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Message = dict[str, str]  # {"role": ..., "content": ...}
DEADLINE = "deadline"  # finish reason of a request that took longer than it may


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

    def submit(self, messages: list[Message], max_tokens: int, seed: int) -> int:
        """Queue one request and return its ticket. Never blocks.

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
class LikelihoodEngine(Protocol):
    """What an engine may also do: say how probable given answers are. An endpoint cannot."""

    def loglikelihood(
        self, prompts: Sequence[list[Message]], completions: Sequence[str]
    ) -> list[Likelihood]:
        """Of each completion after its prompt, in order; nothing else may be in flight."""
