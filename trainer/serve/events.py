"""What crosses between HTTP and the thread of the models: requests, and pieces of answers."""

from __future__ import annotations

from dataclasses import dataclass

from exchange.engine import Message


@dataclass(frozen=True, slots=True)
class Asked:
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
class Likely:
    """A token's text with its log-probability."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Told:
    """The probabilities at one token."""

    chosen: Likely
    top: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and what was asked to be told of its tokens."""

    text: str
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The end of an answer."""

    reason: str  # "stop" or "length"
    tokens_in: int
    tokens_out: int
