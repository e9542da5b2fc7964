"""The HTTP side: OpenAI's paths, errors in OpenAI's shape, a fence around it."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web
from aiohttp.typedefs import Middleware

from exchange.inference.engine import TUNED, SamplingParams, TextPiece
from exchange.net import LOOPBACK, RequestFence
from trainer.serve import protocol
from trainer.serve.inference_thread import InferenceThread
from trainer.serve.protocol import ApiError, ChatRequest, GenerationEnd, GenerationRequest, parse

log = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20  # bytes; a whole context of 8,192 tokens is about 60 kB
RETRY_S = 5  # told to clients when all places are taken
SourceLookup = Callable[[str, int, str], Awaitable[list[Any]]]  # of question, count and answer
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChatApi:
    """The handlers.

    Args:
        names: every name that a request may give a model, and the lane it means.
        shown: the models of /v1/models, without what is common to all.
        system: put before a conversation with the tuned model that has no system message.
        sources: finds the stories that an answer can be read in; None where there is no archive.
        key: asked of every client; "" for none.
        host: where it listens; of this machine alone, no other name is answered.
    """

    def __init__(
        self,
        engine: InferenceThread,
        names: Mapping[str, str],
        shown: list[dict[str, Any]],
        *,
        system: str = "",
        sources: SourceLookup | None = None,
        key: str = "",
        host: str = LOOPBACK[0],
    ) -> None:
        self._engine = engine
        self._names = names
        self._system = system
        self._sources = sources
        self._key = key
        self._fence = RequestFence("this server", host, None)
        self._started = int(time.time())
        common: dict[str, Any] = {
            "object": "model",
            "created": self._started,
            "owned_by": "kkoracle",
        }
        self._shown = [common | one for one in shown]

    def name_root(self, lane: str, root: str) -> None:
        """Say of a model what it is made of from now on."""
        next(one for one in self._shown if one["id"] == lane)["root"] = root

    def app(self) -> web.Application:
        """The application; with `handler_cancellation` a client who leaves is noticed."""
        app = web.Application(middlewares=[self._guarded()], client_max_size=LARGEST_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{name:.+}", self._model)
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    def _guarded(self) -> Middleware:
        """Fence, key, and errors as JSON, around every handler."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        return guard

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check(request)
            return await handler(request)
        except ApiError as refusal:
            return _refuse(refusal)
        except web.HTTPRequestEntityTooLarge:
            return _refuse(ApiError(413, f"the body is larger than {LARGEST_BODY:,} bytes"))
        except web.HTTPException as error:
            return _refuse(
                ApiError(error.status, f"{request.method} {request.path}: {error.reason}")
            )
        except ConnectionResetError:
            raise  # the client has left
        except Exception:
            log.exception("a request failed")
            return _refuse(ApiError(500, "the server failed at this request"))

    def _check(self, request: web.Request) -> None:
        # Whatever its origin: only JSON is taken, which a page elsewhere cannot send, and what runs
        # in a browser by its owner's will (an extension) has an origin of its own.
        name = request.headers.get("Host", "")
        if refusal := self._fence.refusal(name, None, ""):
            status, said, _ = refusal
            raise ApiError(status, f"{said}, not to {name!r}")
        if request.path == "/health" or not self._key:
            return
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode()):
            raise ApiError(401, "a wrong API key, or none", code="invalid_api_key")

    async def _health(self, request: web.Request) -> web.Response:
        broken = self._engine.broken
        body = {
            "status": "failed" if broken else "ok",
            "models": [one["id"] for one in self._shown],
            "requests": self._engine.active,
            "error": broken,
        }
        return _json(body, 503 if broken else 200)

    async def _models(self, request: web.Request) -> web.Response:
        return _json({"object": "list", "data": self._shown})

    async def _model(self, request: web.Request) -> web.Response:
        lane = self._lane(request.match_info["name"])
        return _json(next(one for one in self._shown if one["id"] == lane))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            # Also keeps out forms that a page of another site may send by itself.
            raise ApiError(415, "send the body as application/json")
        wanted = parse(await request.read())
        lane = self._lane(wanted.model)
        look_up = self._lookup(wanted)
        turns = wanted.turns()
        if self._system and lane == TUNED and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self._system})
        events = self._engine.ask(
            GenerationRequest(
                lane,
                turns,
                wanted.length(),
                wanted.seed,
                SamplingParams(
                    wanted.temperature or 0.0, wanted.top_p or 1.0, wanted.stops(), wanted.top()
                ),
            )
        )
        number, created = f"chatcmpl-{uuid4().hex}", int(time.time())
        async with aclosing(events):
            if wanted.stream:
                usage = bool(wanted.stream_options and wanted.stream_options.include_usage)
                return await _stream(
                    request, events, number, created, lane, wanted.top(), usage, look_up
                )
            pieces: list[TextPiece] = []
            end = GenerationEnd("stop", 0, 0)
            async for event in events:
                if isinstance(event, TextPiece):
                    pieces.append(event)
                else:
                    end = event
        logprobs = [one for piece in pieces for one in piece.logprobs] if wanted.logprobs else None
        text = "".join(piece.text for piece in pieces)
        body = protocol.completion(number, created, lane, text, logprobs, end)
        return _json(body | ({"sources": await look_up(text)} if look_up else {}))

    def _lookup(self, wanted: ChatRequest) -> Callable[[str], Awaitable[list[Any]]] | None:
        """Finds the sources of this request's answer; None where none are asked for."""
        if not wanted.sources:
            return None
        if self._sources is None:
            raise ApiError(400, "sources: there is no spool to look in", param="sources")
        return partial(self._sources, wanted.question(), wanted.sources)

    def _lane(self, name: str) -> str:
        if name not in self._names:
            raise ApiError(
                404,
                f"there is no model {name!r}: {', '.join(one['id'] for one in self._shown)}",
                param="model",
                code="model_not_found",
            )
        return self._names[name]


async def _stream(
    request: web.Request,
    events: Any,
    number: str,
    created: int,
    model: str,
    top: int | None,
    usage: bool,
    look_up: Callable[[str], Awaitable[list[Any]]] | None,
) -> web.StreamResponse:
    """Server-sent events; begun only with the first one, so that errors keep their status."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )

    async def send(body: dict[str, Any]) -> None:
        if not response.prepared:
            await response.prepare(request)
            await send(protocol.chunk(number, created, model, {"role": "assistant", "content": ""}))
        await response.write(b"data: " + orjson.dumps(body) + b"\n\n")

    pieces: list[str] = []
    try:
        async for event in events:
            if isinstance(event, TextPiece):
                pieces.append(event.text)
                logprobs = event.logprobs if top is not None else None
                await send(
                    protocol.chunk(number, created, model, {"content": event.text}, logprobs)
                )
                continue
            last = protocol.chunk(number, created, model, {}, None, event.reason)
            await send(last | ({"sources": await look_up("".join(pieces))} if look_up else {}))
            if usage:
                await send(protocol.usage_chunk(number, created, model, event))
    except ApiError as refusal:
        if not response.prepared:
            raise
        await send(refusal.body())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _refuse(refusal: ApiError) -> web.Response:
    headers = {"Retry-After": str(RETRY_S)} if refusal.code == "overloaded" else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(refusal.body(), refusal.status, headers)


def _json(
    body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )
