"""Answers in the shape of OpenAI's chat completions, whole or as a stream of chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer.serve.events import ChosenLogprob, GenerationEnd, TopLogprob


def completion(
    number: str,
    created: int,
    model: str,
    text: str,
    told: Sequence[ChosenLogprob] | None,
    end: GenerationEnd,
) -> dict[str, Any]:
    """A whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": _told(told),
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
    told: Sequence[ChosenLogprob] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """A part of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": _told(told), "finish_reason": reason}
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


def _told(told: Sequence[ChosenLogprob] | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "content": [
            {**_likely(one.chosen), "top_logprobs": [_likely(other) for other in one.top]}
            for one in told
        ]
    }


def _likely(one: TopLogprob) -> dict[str, Any]:
    return {"token": one.text, "logprob": one.logprob, "bytes": list(one.text.encode())}
