"""`POST /score` on this machine: one item or a list of them, scores back.

One thread owns the model (MLX's streams belong to threads), so requests take turns; those of one
list are computed together. Bodies are bounded, and what is wrong with a request is said with its
reason code, never with a traceback. Only JSON is taken: a page in a browser cannot send that
here from elsewhere without asking first, and is never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import orjson
from aiohttp import web

from exchange.errors import Busy, UserError
from trainer.dataset.readers import BadLine
from trainer.scorer.apply import widest_scale
from trainer.scorer.fields import ReadOptions, parse_item
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.scoring import Scorer

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1 << 20  # bytes; a long essay with its guide is a fiftieth of that
MAX_ITEMS = 256  # items of one request
MAX_CHARACTERS = 200_000  # characters of an item


class ScoreServer:
    """The scorer behind its door."""

    def __init__(self, load: Callable[[], tuple[Scorer, ScorerInfo]]) -> None:
        """Nothing is loaded yet: the thread that loads is the one that scores."""
        self._thread = ThreadPoolExecutor(1, "scorer")
        self._load = load
        self._scorer: Scorer | None = None
        self.about: ScorerInfo | None = None

    async def start(self) -> ScorerInfo:
        """Load the model.

        Raises:
            UserError: it cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        self._scorer, about = await loop.run_in_executor(self._thread, self._load)
        self.about = about
        return about

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_plain_errors])
        app.router.add_get("/", self.describe)
        app.router.add_post("/score", self.score)
        return app

    async def describe(self, request: web.Request) -> web.Response:
        """Which scorer this is."""
        assert self.about is not None
        return _json(
            {
                "scorer": self.about.key,
                "maxima": sorted(map(float, self.about.scales)),
                "human_labels": self.about.human,
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
        assert self._scorer is not None
        loop = asyncio.get_running_loop()
        try:
            scored = await loop.run_in_executor(self._thread, self._scorer.score, items)
        except UserError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        found = [asdict(one) for one in scored]
        return _json(found if many else found[0])

    def _item(self, row: Any, where: str) -> ScoreItem:
        """One sent row, on a scale that was taught where there is one of its maximum."""
        assert self.about is not None
        try:
            if not isinstance(row, dict):
                raise BadLine("not_object")
            usual = widest_scale(self.about)
            item = parse_item(row, ReadOptions(usual.maximum, self.about.language))
            if len(item.question) + len(item.guide) + len(item.answer) > MAX_CHARACTERS:
                raise BadLine("too_long")
        except BadLine as bad:
            raise web.HTTPUnprocessableEntity(text=f"{where}{bad}") from None
        top = self.about.scales.get(f"{item.scale.maximum:g}")
        return replace(item, scale=ScoreScale(item.scale.maximum, top)) if top else item


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
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise Busy(
                f"cannot listen on {HOST}:{port} ({error.strerror}): give another --port"
            ) from None
        host, bound = runner.addresses[0][:2]
        told(f"http://{host}:{bound}/score", about)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


@web.middleware
async def _plain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Every refusal is JSON with one line."""
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPException as error:
        return _json({"error": error.text or error.reason}, error.status)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
