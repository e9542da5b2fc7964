"""`POST /score` on this machine: one item or a list of them, scores back; and a page to try it.

One thread owns the model (MLX's streams belong to threads), so requests take turns; those of one
list are computed together. Bodies are bounded, and what is wrong with a request is said with its
reason code, never with a traceback. Only JSON is taken, and only by this machine's names: a page
in a browser cannot send that here from elsewhere without asking first, and is never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

import orjson
from aiohttp import web

from exchange.errors import UserError
from exchange.html.templates import environment
from exchange.net import HOST, RequestFence, listen
from trainer.dataset.readers import BadLine
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem
from trainer.scorer.loaded import LoadedScorer

MAX_BODY_BYTES = 1 << 20  # bytes; a long essay with its guide is a fiftieth of that
MAX_ITEMS = 256  # items of one request
MAX_CHARACTERS = 200_000  # characters of an item
_PACKAGE = "trainer.scorer"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_FENCE = RequestFence("this scorer", HOST, None)


class ScoreServer:
    """The scorer behind its door."""

    def __init__(self, load: Callable[[], LoadedScorer]) -> None:
        """Nothing is loaded yet: the thread that loads is the one that scores."""
        self._thread = ThreadPoolExecutor(1, "scorer")
        self._load = load
        self._loaded: LoadedScorer | None = None

    @property
    def loaded(self) -> LoadedScorer:
        """What was loaded by `start`."""
        assert self._loaded is not None
        return self._loaded

    async def start(self) -> ScorerInfo:
        """Load the model.

        Raises:
            UserError: it cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        self._loaded = await loop.run_in_executor(self._thread, self._load)
        return self._loaded.about

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_plain_errors])
        app.router.add_get("/", self.describe)
        app.router.add_get("/health", self.health)
        app.router.add_get("/docs", self.page)
        app.router.add_get("/page.js", self.script)
        app.router.add_get("/openapi.json", self.openapi)
        app.router.add_post("/score", self.score)
        return app

    async def health(self, request: web.Request) -> web.Response:
        """It answers, and so it is loaded."""
        return _json({"status": "ok", "scorer": self.loaded.about.key})

    async def page(self, request: web.Request) -> web.Response:
        """A form to try it with, and how a program asks."""
        template = environment(_PACKAGE).get_template("page.html.j2")
        text = template.render(about=self.loaded.about, most=MAX_ITEMS)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    async def script(self, request: web.Request) -> web.Response:
        """What sends the page's form."""
        text = resources.files(_PACKAGE).joinpath("templates", "page.js").read_text("utf-8")
        return web.Response(text=text, content_type="text/javascript", headers=_HEADERS)

    async def openapi(self, request: web.Request) -> web.Response:
        """What can be asked, for tools (OpenAPI 3.1)."""
        return _json(_openapi(self.loaded.about))

    async def describe(self, request: web.Request) -> web.Response:
        """Which scorer this is."""
        about = self.loaded.about
        return _json(
            {
                "scorer": about.key,
                "maxima": sorted(map(float, about.scales)),
                "human_labels": about.human,
                "language": about.language,
                "page": "/docs",
            }
        )

    async def score(self, request: web.Request) -> web.Response:
        """Score what was sent."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send application/json")
        try:
            sent = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            raise web.HTTPBadRequest(text="not_json") from None
        many = isinstance(sent, list)
        rows = sent if many else [sent]
        if len(rows) > MAX_ITEMS:
            raise web.HTTPRequestEntityTooLarge(
                MAX_ITEMS, len(rows), text=f"more than {MAX_ITEMS} items"
            )
        items = [
            self._item(row, f"item {number}: " if many else "")
            for number, row in enumerate(rows, 1)
        ]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self.loaded.explained, items)
        except UserError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        return _json(found if many else found[0])

    def _item(self, row: Any, where: str) -> ScoreItem:
        """One sent row, on a scale that was taught where there is one of its maximum."""
        try:
            if not isinstance(row, dict):
                raise BadLine("not_object")
            item = self.loaded.item(row)
            if len(item.question) + len(item.guide) + len(item.answer) > MAX_CHARACTERS:
                raise BadLine("too_long")
        except BadLine as bad:
            raise web.HTTPUnprocessableEntity(text=f"{where}{bad}") from None
        return item


async def run_server(
    service: ScoreServer, port: int, told: Callable[[str, ScorerInfo], None]
) -> None:
    """Serve until cancelled.

    Raises:
        UserError: the port is taken, or the model cannot be loaded.
    """
    about = await service.start()
    runner = web.AppRunner(service.app(), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listen(HOST, port)).start()
        host, bound = runner.addresses[0][:2]
        told(f"http://{host}:{bound}/score", about)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _openapi(about: ScorerInfo) -> dict[str, Any]:
    text = {"type": "string"}
    number = {"type": "number"}
    texts = {"type": "array", "items": text}
    item = {
        "type": "object",
        "required": ["question", "answer"],
        "properties": {
            "id": text,
            "question": text,
            "guide": {**text, "description": "or a reference answer; empty: as it was taught"},
            "answer": text,
            "maximum": {**number, "description": "empty: as the question was taught"},
            "language": {**text, "default": about.language},
        },
    }
    found = {
        "type": "object",
        "properties": {
            "id": text,
            "score": {**number, "description": "a mark of the scale"},
            "maximum": number,
            "confidence": {**number, "description": "probability of this mark"},
            "abstained": {"type": "boolean", "description": "better ask a person"},
            "probabilities": {"type": "array", "items": number},
            "nearest": {
                "type": "array",
                "items": {"type": "object", "properties": {"answer": text, "score": number}},
            },
            "met": texts,
            "missed": texts,
        },
    }

    def one_or_many(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "content": {
                "application/json": {
                    "schema": {"oneOf": [schema, {"type": "array", "items": schema}]}
                }
            }
        }

    error = {"description": "one line with a reason code"}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"kkoracle scorer {about.key}", "version": "1"},
        "paths": {
            "/score": {
                "post": {
                    "summary": f"Score one answer, or a list of up to {MAX_ITEMS}",
                    "requestBody": {"required": True, **one_or_many(item)},
                    "responses": {
                        "200": {"description": "scores, in order", **one_or_many(found)},
                        "400": error,
                        "413": error,
                        "415": error,
                        "422": error,
                    },
                }
            },
            "/health": {
                "get": {"summary": "Does it answer?", "responses": {"200": {"description": "yes"}}}
            },
        },
    }


@web.middleware
async def _plain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Every refusal is JSON with one line; another site's page, by whatever name, gets one."""
    sent = request.headers
    if refusal := _FENCE.refusal(sent.get("Host", ""), sent.get("Origin"), ""):
        status, said, _ = refusal
        return _json({"error": said}, status)
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPException as error:
        return _json({"error": error.text or error.reason}, error.status)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
