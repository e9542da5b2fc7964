"""Read what an OpenAI-compatible endpoint says: a completion, a refusal, or nonsense.

Nothing in a reply is trusted: sizes are bounded, types checked, and words of the endpoint reach a
person only as one short printable line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from exchange.errors import Unreachable, UserError
from exchange.inference.chat_template import THINK_MARKS
from exchange.inference.detokenizer import cut_thought
from exchange.inference.engine import DEADLINE
from exchange.text.controls import one_line

LONGEST_REPLY = 4 << 20  # bytes; a completion of 256 tokens is about a kilobyte
FINISH_REASONS = ("stop", "length", DEADLINE)  # the last is our own engine's
SWITCH = "chat_template_kwargs"  # the field of vLLM, SGLang, llama.cpp and mlx_lm.server
THINKING_OFF = {"enable_thinking": False, "thinking": False}  # what stands in it
_TOO_LONG = re.compile(
    r"context[ _](length|window|size)|max(imum)?[ _]context|max_model_len|too many tokens"
    r"|(prompt|input) is too long",
    re.IGNORECASE,
)


class BadReply(ValueError):
    """Status 200, but no chat completion."""


@dataclass(frozen=True, slots=True)
class ChatCompletion:
    """What we need of a chat completion."""

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    only_thought: bool = False  # the answer's place is empty, and thought stands beside it


def parse(body: bytes) -> ChatCompletion:
    """One chat completion.

    Raises:
        BadReply: it is none.
    """
    try:
        return read_completion(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise BadReply from None


def read_completion(raw: Any) -> ChatCompletion:
    """The same of an object that is parsed already.

    Raises:
        BadReply: it is none.
    """
    try:
        choice = raw["choices"][0]
        message = choice["message"]
        text = message["content"]
        # vLLM and SGLang call it the first, Ollama and newer ones the second.
        apart = message.get("reasoning_content") or message.get("reasoning")
        reason = choice.get("finish_reason") or "stop"
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BadReply from None
    if not isinstance(text, str | None):
        raise BadReply
    answer, only_thought = cut_thought(text or "", THINK_MARKS)
    usage = raw.get("usage")
    return ChatCompletion(
        text=answer,
        finish_reason=reason if reason in FINISH_REASONS else "other",
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        only_thought=not answer and (only_thought or bool(apart)),
    )


def refuses_switch(message: str) -> bool:
    """True when a refusal is about the field that turns thinking off, as OpenAI's own does."""
    return SWITCH in message


def is_too_long(message: str) -> bool:
    """True when a refusal is about the prompt's length and the model's context."""
    return bool(_TOO_LONG.search(message))


def error_message(body: bytes, secret: str = "") -> str:
    """The words of a refusal in one line of at most 160 printable characters, without the key."""
    try:
        raw: Any = orjson.loads(body)
        error = raw.get("error", raw) if isinstance(raw, dict) else raw
        message = error.get("message", "") if isinstance(error, dict) else str(error)
    except orjson.JSONDecodeError:
        message = body.decode("utf-8", "replace")
    message = str(message).replace(secret, "***") if secret else str(message)
    return one_line(message)[:160]


def configuration_error(
    status: int, url: str, model: str, message: str, table: str = "work"
) -> UserError | None:
    """The error that every request would meet alike, so that no task is spent on it.

    Args:
        table: of the settings that name the endpoint.
    """
    quoted = f"; it says: {message}" if message else ""
    if status in (401, 403):
        key = f"KKORACLE_{table.upper()}_API_KEY"
        return Unreachable(f"{url} refuses the key ({status}): set {key}{quoted}")
    if status == 404:
        return Unreachable(
            f"{url} does not serve {model!r} (404): set [{table}] served_as to the name that it "
            f"has there, and let [{table}] url end as the endpoint's own documents say{quoted}"
        )
    if 300 <= status < 400 or status == 405:
        return Unreachable(
            f"{url} is not where the endpoint is ({status}): correct [{table}] url; it usually "
            f"ends in /v1{quoted}"
        )
    return None


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0
