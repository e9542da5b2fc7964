"""What a client may ask for: OpenAI's chat completion, as far as a plain language model goes.

Fields that are unknown are left alone, since clients send many; fields that would change the
answer and cannot be honoured are refused rather than ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError

from exchange.inference.engine import Message
from trainer.serve.events import ApiError

MOST_STOPS = 16
LONGEST_STOP = 256  # characters
MOST_TOP = 20  # likeliest tokens told with each token


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
        said = self.content
        text = said if isinstance(said, str) else "".join(part.text for part in said)
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

    def turns(self) -> list[Message]:
        """The conversation so far."""
        return [turn.message() for turn in self.messages]

    def length(self) -> int | None:
        """Longest answer in tokens; None when the client leaves it open."""
        return self.max_completion_tokens or self.max_tokens

    def stops(self) -> tuple[str, ...]:
        """Texts at which the answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def top(self) -> int | None:
        """How many likeliest tokens are told with each; None: no probabilities at all."""
        return self.top_logprobs or 0 if self.logprobs else None


def parse(body: bytes) -> ChatRequest:
    """Read a request.

    Raises:
        Refusal: 400, with the field at fault.
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
