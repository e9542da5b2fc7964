"""What a client may send and is sent: OpenAI's chat completions, for a plain language model.

Fields that are unknown are left alone, since clients send many; fields that would change the
answer and cannot be honoured are refused rather than ignored. `GenerationRequest` and
`GenerationEnd` are what crosses between HTTP and the thread of the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError

from exchange.inference.engine import GREEDY, Message, SamplingParams, TokenLogprob


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request, checked."""

    model: str  # one of the engine's
    turns: list[Message]
    max_tokens: int | None  # None: as long as the settings allow
    seed: int | None = None
    sampling: SamplingParams = GREEDY


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """The end of an answer."""

    reason: str  # "stop" or "length"
    tokens_in: int
    tokens_out: int


class ApiError(Exception):
    """A request that cannot be served, in the shape in which OpenAI's clients expect it.

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


MOST_STOPS = 16
LONGEST_STOP = 256  # characters
MOST_TOP = 20  # likeliest tokens given with each token
MOST_SOURCES = 20  # stories named for an answer


class TextPart(BaseModel):
    """A piece of a message; this model reads text alone."""

    type: Literal["text"]
    text: str


class RequestMessage(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def message(self) -> Message:
        """As chat templates know it."""
        content = self.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": text}


class StreamOptions(BaseModel):
    """How a stream ends."""

    include_usage: bool = False


class TextFormat(BaseModel):
    """The only form of answer there is."""

    type: Literal["text"] = "text"


Stop = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]


class ChatRequest(BaseModel):
    """The body of POST /v1/chat/completions."""

    model: str = ""
    messages: list[RequestMessage] = Field(min_length=1, max_length=4096)
    max_tokens: int | None = Field(None, ge=1, le=1 << 20)
    max_completion_tokens: int | None = Field(None, ge=1, le=1 << 20)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 64)
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_TOP)
    n: Literal[1] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    response_format: TextFormat | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    # Ours: so many stories that the answer can be read in, in a field that other clients ignore.
    sources: int | None = Field(None, ge=0, le=MOST_SOURCES)

    def turns(self) -> list[Message]:
        """The conversation so far."""
        return [turn.message() for turn in self.messages]

    def question(self) -> str:
        """What was asked last."""
        asked = [turn.message()["content"] for turn in self.messages if turn.role == "user"]
        return asked[-1] if asked else ""

    def length(self) -> int | None:
        """Longest answer in tokens; None when the client leaves it open."""
        return self.max_completion_tokens or self.max_tokens

    def stops(self) -> tuple[str, ...]:
        """Texts at which the answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def top(self) -> int | None:
        """How many likeliest tokens are given with each; None: no probabilities at all."""
        return self.top_logprobs or 0 if self.logprobs else None


def parse(body: bytes) -> ChatRequest:
    """Read a request.

    Raises:
        ApiError: 400, with the field at fault.
    """
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json")
    try:
        return ChatRequest.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        raise ApiError(400, f"{param}: {first['msg']}", param=param, code="invalid_value") from None


def completion(
    number: str,
    created: int,
    model: str,
    text: str,
    logprobs: Sequence[TokenLogprob] | None,
    end: GenerationEnd,
) -> dict[str, Any]:
    """A whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": _logprobs(logprobs),
        "finish_reason": end.reason,
    }
    return _head(number, created, model, "chat.completion") | {
        "choices": [choice],
        "usage": usage(end),
    }


def chunk(
    number: str,
    created: int,
    model: str,
    delta: dict[str, str],
    logprobs: Sequence[TokenLogprob] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """A part of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": _logprobs(logprobs), "finish_reason": reason}
    return _head(number, created, model, "chat.completion.chunk") | {"choices": [choice]}


def usage_chunk(number: str, created: int, model: str, end: GenerationEnd) -> dict[str, Any]:
    """The last chunk of a stream that asked for its usage."""
    return _head(number, created, model, "chat.completion.chunk") | {
        "choices": [],
        "usage": usage(end),
    }


def usage(end: GenerationEnd) -> dict[str, int]:
    """Tokens in and out; the end mark counts."""
    return {
        "prompt_tokens": end.tokens_in,
        "completion_tokens": end.tokens_out,
        "total_tokens": end.tokens_in + end.tokens_out,
    }


def _head(number: str, created: int, model: str, kind: str) -> dict[str, Any]:
    return {"id": number, "object": kind, "created": created, "model": model}


def _logprobs(logprobs: Sequence[TokenLogprob] | None) -> dict[str, Any] | None:
    if logprobs is None:
        return None
    return {
        "content": [
            {
                **_token(one.text, one.logprob),
                "top_logprobs": [_token(text, logprob) for text, logprob in one.top],
            }
            for one in logprobs
        ]
    }


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
