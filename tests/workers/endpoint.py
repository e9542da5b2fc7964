"""A real OpenAI-compatible endpoint on loopback that answers from rules, late, or not at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

Reply = Callable[[str], str]
Said = tuple[int, bytes, dict[str, str]]  # status, body, headers

GOOD = "Ερώτηση: Ποιος είναι ο Αριθμός {number};\nΑπάντηση: Ο αριθμός {number}."


def number_of(prompt: str) -> str:
    """Of a chunk of `fill_spool`, whatever stands behind it; "" of anything else."""
    _, mark, rest = prompt.rpartition("Αριθμός ")
    return rest.partition("\n")[0].strip(" .") if mark else ""


def answer_about(prompt: str) -> str:
    """A pair that passes every check: the chunks of `fill_spool` end with their number."""
    return GOOD.format(number=number_of(prompt))


class Endpoint:
    """Serves `/v1` in a thread of its own; `asked` counts the requests per chunk."""

    def __init__(self, *, delay: float = 0.0, reply: Reply = answer_about, port: int = 0) -> None:
        self.delay = delay
        self.reply = reply
        self.port = port
        self.status: list[int] = []  # statuses to answer with first, one per request
        self.script: list[Said] = []  # whole replies to answer with first, one per request
        self.key = ""
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.keys_seen: set[str] = set()
        self.together = self.most_together = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def _allowed(self, request: web.Request) -> bool:
        self.keys_seen.add(request.headers.get("Authorization", ""))
        return not self.key or request.headers.get("Authorization") == f"Bearer {self.key}"

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": []}, status=200 if self._allowed(request) else 401)

    async def _complete(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        prompt = body["messages"][-1]["content"]
        self.asked[number_of(prompt)] += 1
        self.bodies.append(body)
        self.times.append(time.monotonic())
        if not self._allowed(request):
            return web.Response(status=401)
        if self.status:
            return web.Response(status=self.status.pop(0))
        if self.script:
            status, said, headers = self.script.pop(0)
            return web.Response(status=status, body=said, headers=headers)
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.together -= 1
        message = {"role": "assistant", "content": self.reply(prompt)}
        return web.json_response(
            {
                "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5},
            }
        )
