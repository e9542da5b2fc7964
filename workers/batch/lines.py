"""The lines of batch files, in OpenAI's format: read with care, written as others read them.

Nothing in a line is trusted: sizes are bounded, types checked, ids held against a pattern.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import orjson

from exchange.inference import openai_replies
from exchange.inference.engine import Message, RequestOutput, SamplingParams
from exchange.inference.openai_replies import SWITCH
from exchange.records import TASK_PATTERN, TOO_LONG

URL = "/v1/chat/completions"
READ_BACK = "verify-"  # begins the custom_id of a pair that is asked again
# Why a line of replies is set aside before its task is looked at.
NOT_JSON, TOO_LONG_LINE, NO_ID = "not-json", "line-too-long", "no-custom-id"

MOST_TOKENS = 100_000  # that a request may ask for
_FIELDS = frozenset(
    ["model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed"]
) | {SWITCH}
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")


class BatchLine(NamedTuple):
    """A line of a file; `data` is empty for one that is too long to be a request or a reply."""

    data: bytes
    end: int  # bytes of the file up to here


def read_lines(file: BinaryIO) -> Iterator[BatchLine]:
    """The lines that hold anything; what is too long is passed over piece by piece."""
    end = 0
    while line := file.readline(openai_replies.LONGEST_REPLY):
        end += len(line)
        whole = line
        while not line.endswith(b"\n") and (line := file.readline(1 << 20)):
            end += len(line)
            whole = b""
        if not whole or whole.strip():
            yield BatchLine(whole, end)


def request_line(custom_id: str, body: dict[str, Any]) -> bytes:
    """One request."""
    line = {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class BadRequest(ValueError):
    """A line that asks for what our engine does not do; it is answered so, and the rest goes on."""

    def __init__(self, message: str, custom_id: str = "") -> None:
        super().__init__(message)
        self.custom_id = custom_id


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One line, ready for the engine."""

    custom_id: str
    model: str
    messages: list[Message]
    max_tokens: int
    seed: int
    sampling: SamplingParams


def read_request(line: bytes) -> BatchRequest:
    """One line as a request.

    Raises:
        BadRequest: it is none, or asks for more than messages and a sampling.
    """
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadRequest("the line is no JSON, or longer than any request") from None
    name = raw.get("custom_id") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not isinstance(body := raw.get("body"), dict):
        raise BadRequest("the line has no custom_id or no body")
    if objection := _objection(raw, body):
        raise BadRequest(objection, name)
    return BatchRequest(
        name,
        str(body.get("model", "")),
        body["messages"],
        _most_tokens(body),
        (body.get("seed") or 0) & 0x7FFFFFFF,
        SamplingParams(float(body.get("temperature", 1.0)), float(body.get("top_p", 1.0))),
    )


def _objection(raw: dict[str, Any], body: dict[str, Any]) -> str:
    """Why a line is no request for us; "" for one that is."""
    if raw.get("method", "POST") != "POST" or raw.get("url", URL) != URL:
        return f"only POST {URL} is answered here"
    if others := set(body) - _FIELDS:
        return f"the fields {', '.join(sorted(others))[:80]} are not known here"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        return "messages: a list of role and content, both text"
    if not isinstance(most := _most_tokens(body), int) or not 1 <= most <= MOST_TOKENS:
        return f"max_tokens: 1 to {MOST_TOKENS}"
    temperature, top_p = body.get("temperature", 1.0), body.get("top_p", 1.0)
    if not all(isinstance(one, int | float) for one in (temperature, top_p)):
        return "temperature or top_p is no number"
    if not isinstance(body.get("seed") or 0, int) or not (0 <= temperature <= 2 and 0 < top_p <= 1):
        return "seed, temperature or top_p is out of bounds"
    return ""


def _most_tokens(body: dict[str, Any]) -> Any:
    return body.get("max_tokens", body.get("max_completion_tokens"))


def _is_message(raw: Any) -> bool:
    return (
        isinstance(raw, dict)
        and set(raw) == {"role", "content"}
        and raw["role"] in ("system", "user", "assistant")
        and isinstance(raw["content"], str)
    )


def reply_line(name: str, request: BatchRequest, output: RequestOutput) -> bytes:
    """The reply to a request, as `vllm run-batch` writes it."""
    message = {"role": "assistant", "content": output.text}
    if output.only_thought:
        message["reasoning_content"] = "(not kept)"
    body = {
        "id": name,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": output.finish_reason}],
        "usage": {
            "prompt_tokens": output.tokens_in,
            "completion_tokens": output.tokens_out,
            "total_tokens": output.tokens_in + output.tokens_out,
        },
    }
    return _line(name, request.custom_id, 200, body)


def error_line(name: str, custom_id: str, status: int, message: str) -> bytes:
    """The answer to a request that is not served."""
    error = {"message": message, "type": "invalid_request_error", "code": None}
    return _line(name, custom_id, status, {"error": error})


def _line(name: str, custom_id: str, status: int, body: dict[str, Any]) -> bytes:
    response = {"status_code": status, "request_id": name, "body": body}
    line = {"id": f"kk-{name}", "custom_id": custom_id, "response": response, "error": None}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def read_reply(data: bytes) -> tuple[str, dict[str, Any] | str]:
    """What a line is about and what it says, or why it is no line of a batch."""
    if not data:
        return "", TOO_LONG_LINE
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError:
        return "", NOT_JSON
    if not isinstance(raw, dict):
        return "", NOT_JSON
    name = raw.get("custom_id")
    if not isinstance(name, str) or not TASK_PATTERN.fullmatch(name.removeprefix(READ_BACK)):
        return "", NO_ID
    return name, raw


def is_error(raw: dict[str, Any]) -> bool:
    """Whether a line says that its request was not served."""
    response = raw.get("response")
    status = response.get("status_code", 200) if isinstance(response, dict) else None
    return bool(raw.get("error")) or status != 200


def error_code(error: Any, status: Any) -> str:
    """Of a request that was not served; only one that is too long is not asked again."""
    inner = error.get("error", error) if isinstance(error, dict) else error
    message = inner.get("message") if isinstance(inner, dict) else inner
    if openai_replies.is_too_long(str(message or "")):
        return TOO_LONG
    code = inner.get("code") if isinstance(inner, dict) else None
    named = str(code or "").lower().replace("_", "-")
    if _CODE.fullmatch(named) and not named.isdigit():
        return f"endpoint-{named}"[:40]
    for number in (status, code):
        if isinstance(number, int) and 100 <= number < 1000:
            return f"endpoint-{number}"
    return "endpoint-error"
