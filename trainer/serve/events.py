"""What crosses between HTTP and the thread of the models: requests, and pieces of answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exchange.inference.engine import Message


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request, checked."""

    model: str  # name of a lane
    turns: list[Message]
    max_tokens: int | None  # None: as long as the settings allow
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()
    top: int | None = None  # likeliest tokens told with each; None: no probabilities


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """A token's text with its log-probability."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class ChosenLogprob:
    """The probabilities at one token."""

    chosen: TopLogprob
    top: tuple[TopLogprob, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Some text, and what was asked to be told of its tokens."""

    text: str
    told: tuple[ChosenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """The end of an answer."""

    reason: str  # "stop" or "length"
    tokens_in: int
    tokens_out: int


# A request that cannot be served, in the shape in which OpenAI's clients expect to be told.


class ApiError(Exception):
    """One HTTP error.

    Args:
        status: of HTTP.
        param: the field of the request that is at fault, if one is.
        code: a short word for programs.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        """The JSON that goes with the status."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 401:
            kind = "authentication_error"
        return {
            "error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        }
