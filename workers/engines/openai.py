"""The `openai` engine: any OpenAI-compatible endpoint, with `width` requests in flight.

The requests run on an event loop in a thread of their own; the worker's thread only looks into a
queue, so that it can renew its leases while the endpoint thinks.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import Any

from exchange.engine import Description, Finished, Message
from exchange.errors import UserError

log = logging.getLogger(__name__)

STEP_S = 0.05  # how long a step waits for something to end
TIMEOUT_S = 600.0
RETRY_STATUS = (408, 409, 425, 429, 500, 502, 503, 504)
OURS_TO_MEND = (401, 403, 404)  # every request would fail alike: stop, do not burn the tasks
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 32.0  # doubling; an endpoint may restart, or be away for hours


class OpenAIEngine:
    """Chat completions over HTTP behind the `Engine` protocol."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        served_as: str,
        width: int,
        api_key: str,
        temperature: float,
        top_p: float = 1.0,
    ) -> None:
        self._url = url.rstrip("/")
        self._name = name
        self._served_as = served_as or name
        self._width = width
        self._sampling = {"temperature": temperature, "top_p": top_p}
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._done: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._tickets = 0
        self._fatal: UserError | None = None
        self._pending: dict[int, Future[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()
        try:
            self._call(self._open())
            self._call(self._check())
        except BaseException:
            self.close()
            raise

    def submit(self, messages: list[Message], max_tokens: int, seed: int) -> int:
        """See `Engine.submit`."""
        self._tickets += 1
        body = {
            "model": self._served_as,
            "messages": messages,
            "max_tokens": max_tokens,
            "seed": seed,
            **self._sampling,
        }
        self._pending[self._tickets] = asyncio.run_coroutine_threadsafe(
            self._request(self._tickets, body), self._loop
        )
        return self._tickets

    def step(self) -> list[Finished]:
        """See `Engine.step`; waits a moment when nothing has ended.

        Raises:
            UserError: the endpoint refuses every request for a reason that is ours to mend.
        """
        if self._fatal is not None:
            raise self._fatal
        done: list[Finished] = []
        wait = STEP_S if self._pending else 0.0
        while True:
            try:
                finished = self._done.get(timeout=wait) if wait else self._done.get_nowait()
            except queue.Empty:
                if self._fatal is not None:  # set before its replies were put here: burn none
                    raise self._fatal from None
                return done
            if self._pending.pop(finished.ticket, None) is not None:
                done.append(finished)
            wait = 0.0

    def cancel(self, ticket: int) -> None:
        """See `Engine.cancel`."""
        future = self._pending.pop(ticket, None)
        if future:
            future.cancel()

    def close(self) -> None:
        """See `Engine.close`."""
        for ticket in list(self._pending):
            self.cancel(ticket)
        if hasattr(self, "_session"):
            self._call(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def describe(self) -> Description:
        """See `Engine.describe`."""
        return Description("openai", self._name, "served", self._width)

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> None:
        import aiohttp

        self._gate = asyncio.Semaphore(self._width)
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        )

    async def _check(self) -> None:
        import aiohttp

        try:
            async with self._session.get(f"{self._url}/models") as reply:
                status = reply.status
        except aiohttp.ClientError as error:
            raise UserError(
                f"nothing answers at {self._url} ({type(error).__name__}): start the endpoint, or "
                "correct [work] url"
            ) from None
        if status in (401, 403):
            raise _explain(self._url, self._served_as, status)

    async def _request(self, ticket: int, body: dict[str, Any]) -> None:
        async with self._gate:
            started = time.perf_counter()
            self._done.put(await self._complete(ticket, body, started))

    async def _complete(self, ticket: int, body: dict[str, Any], started: float) -> Finished:
        """One request, asked again for as long as the endpoint is away or busy."""
        import aiohttp

        problem, pause = "", FIRST_PAUSE_S
        while True:
            try:
                async with self._session.post(f"{self._url}/chat/completions", json=body) as reply:
                    if reply.status == 200:
                        return _finished(ticket, await reply.json(), started)
                    problem = f"endpoint-{reply.status}"
                    if reply.status in OURS_TO_MEND:
                        self._fatal = _explain(self._url, self._served_as, reply.status)
                    if reply.status not in RETRY_STATUS:
                        break
            except (aiohttp.ClientError, TimeoutError):
                pass
            except (KeyError, IndexError, TypeError, ValueError):
                problem = "endpoint-bad-reply"
                break
            if pause == LAST_PAUSE_S:
                log.warning("%s does not answer; asking again every %.0f s", self._url, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)
        return Finished(ticket, "", "error", 0, 0, time.perf_counter() - started, error=problem)


def _explain(url: str, model: str, status: int) -> UserError:
    if status == 404:
        return UserError(f"{url} does not serve {model!r} (404): set [work] served_as to the name "
                         "that it has there")  # fmt: skip
    return UserError(f"{url} refuses the key ({status}): set KKORACLE_WORK_API_KEY")


def _finished(ticket: int, reply: dict[str, Any], started: float) -> Finished:
    choice = reply["choices"][0]
    usage = reply.get("usage") or {}
    return Finished(
        ticket=ticket,
        text=str(choice["message"]["content"] or "").strip(),
        finish_reason=str(choice.get("finish_reason") or "stop"),
        tokens_in=int(usage.get("prompt_tokens") or 0),
        tokens_out=int(usage.get("completion_tokens") or 0),
        seconds=time.perf_counter() - started,
    )
