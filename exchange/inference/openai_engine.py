"""The `openai` engine: any OpenAI-compatible endpoint, with `width` requests in flight.

The requests run on an event loop in a thread of their own; the worker's thread only looks into a
queue, so that it can renew its leases while the endpoint thinks.

An endpoint that is away, restarting or busy is asked again for as long as it takes, and no task
is spent on it. What every request would meet alike (a wrong key, an unknown model, a wrong
address) ends the engine with one line.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import Any

from exchange.display import format_duration
from exchange.errors import Unreachable, UserError
from exchange.inference import openai_replies
from exchange.inference.engine import EngineDescription, Message, RequestOutput, SamplingParams
from exchange.net import parse_retry_after
from exchange.records import TOO_LONG

log = logging.getLogger(__name__)

STEP_S = 0.05  # how long a step waits for something to end
TIMEOUT_S = 600.0  # of one request; many at once may wait for their turn inside the endpoint
RETRY_STATUS = (408, 409, 425, 429, 500, 502, 503, 504)
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 32.0  # doubling; an endpoint may restart, or be away for hours
MAX_RETRY_AFTER_S = 600.0  # whatever a Retry-After says, we look again after this
REFUSALS = 8  # so many requests refused and none ever served: the endpoint cannot do what we ask


class OpenAIEngine:
    """Chat completions over HTTP behind the `Engine` protocol.

    Args:
        name: the model as asked for, which is what the recipe counts.
        served_as: its name at the endpoint, if that is another.
        api_key: sent as a bearer token to `url` only, never followed elsewhere, never logged.
        table: of the settings that name the endpoint, for messages.

    Raises:
        UserError: nothing answers at `url`, or the key is refused.
    """

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
        table: str = "work",
    ) -> None:
        self._table = table
        self._url = url.rstrip("/")
        self._name = name
        self._served_as = served_as or name
        self._width = width
        self._sampling = SamplingParams(temperature, top_p)
        self._api_key = api_key
        self._done: queue.SimpleQueue[RequestOutput] = queue.SimpleQueue()
        self._tickets = 0
        self._served = self._refused = 0
        self._sends_switch = True  # until the endpoint says that it does not know the field
        self._unavailable = False
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

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
    ) -> int:
        """See `Engine.submit`; a prompt that is too long shows only in the endpoint's answer."""
        self._tickets += 1
        chosen = sampling or self._sampling
        body: dict[str, Any] = {
            "model": self._served_as,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": chosen.temperature,
            openai_replies.SWITCH: openai_replies.THINKING_OFF,
        }
        if chosen.temperature:
            # Not sent for greedy decoding: mlx_lm.server takes requests with a seed one by one.
            body |= {"top_p": chosen.top_p, "seed": seed}
        self._pending[self._tickets] = asyncio.run_coroutine_threadsafe(
            self._request(self._tickets, body), self._loop
        )
        return self._tickets

    def step(self) -> list[RequestOutput]:
        """See `Engine.step`; waits a moment when nothing has ended.

        Raises:
            UserError: the endpoint refuses every request for a reason that is ours to mend.
        """
        if self._fatal is not None:
            raise self._fatal
        done: list[RequestOutput] = []
        wait = STEP_S if self._pending else 0.0
        while True:
            try:
                finished = self._done.get(timeout=wait) if wait else self._done.get_nowait()
            except queue.Empty:
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
        if not self._thread.is_alive():
            self._loop.close()  # its sockets stay open otherwise

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        return EngineDescription("openai", self._name, "served", self._width)

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> None:
        import aiohttp

        self._gate = asyncio.Semaphore(self._width)
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._api_key}"} if self._api_key else {},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=30),
            connector=aiohttp.TCPConnector(limit=0),  # the gate is the limit
        )

    async def _check(self) -> None:
        import aiohttp

        try:
            async with self._session.get(f"{self._url}/models", allow_redirects=False) as reply:
                status, message = reply.status, await self._refusal(reply)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(
                f"nothing answers at {self._url} ({type(error).__name__}): start the endpoint, or "
                f"correct [{self._table}] url"
            ) from None
        # Not every endpoint lists its models, so only a refused key counts here.
        refusal = openai_replies.configuration_error(
            status, self._url, self._served_as, message, self._table
        )
        if status in (401, 403) and refusal:
            raise refusal

    async def _request(self, ticket: int, body: dict[str, Any]) -> None:
        async with self._gate:
            started = time.perf_counter()
            try:
                outcome = await self._complete(body)
            except Exception as error:
                # Anything that is not foreseen fails this request alone; without an answer its
                # task would stay in flight for ever.
                log.error("a request to %s failed: %s", self._url, type(error).__name__)
                outcome = "endpoint-error"
        seconds = time.perf_counter() - started
        if isinstance(outcome, str) and self._fatal:
            return  # not this task's fault: it is given back
        if isinstance(outcome, str):
            self._done.put(RequestOutput(ticket, "", "error", 0, 0, seconds, error=outcome))
        else:
            self._done.put(
                RequestOutput(
                    ticket,
                    outcome.text,
                    outcome.finish_reason,
                    outcome.tokens_in,
                    outcome.tokens_out,
                    seconds,
                    only_thought=outcome.only_thought,
                )
            )

    async def _complete(self, body: dict[str, Any]) -> openai_replies.ChatCompletion | str:
        """One request, asked again for as long as the endpoint is away or busy.

        Returns:
            The answer, or the reason code of a refusal.
        """
        import aiohttp

        address, pause = f"{self._url}/chat/completions", FIRST_PAUSE_S
        while True:
            wait, reason = pause, ""
            if not self._sends_switch:
                body.pop(openai_replies.SWITCH, None)
            try:
                async with self._session.post(address, json=body, allow_redirects=False) as reply:
                    if reply.status == 200:
                        return await self._answer(reply)
                    if reply.status not in RETRY_STATUS:
                        message = await self._refusal(reply)
                        if openai_replies.SWITCH in body and openai_replies.refuses_switch(message):
                            self._sends_switch = False
                            continue
                        return self._record_refusal(reply.status, message)
                    requested_s = parse_retry_after(reply.headers.get("Retry-After"), time.time())
                    wait, reason = min(requested_s or pause, MAX_RETRY_AFTER_S), str(reply.status)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = type(error).__name__
            self._log_unavailable(reason, wait)
            await asyncio.sleep(wait)
            pause = min(pause * 2, LAST_PAUSE_S)

    async def _answer(self, reply: Any) -> openai_replies.ChatCompletion | str:
        body = await _read(reply)
        try:
            outcome = openai_replies.parse(body)
        except openai_replies.BadReply:
            return self._record_refusal(reply.status, "what it answers is no chat completion")
        self._served += 1
        if self._unavailable:
            self._unavailable = False
            log.warning("%s answers again", self._url)
        return outcome

    def _record_refusal(self, status: int, message: str) -> str:
        """Stop for what is ours to mend; else the reason code of this one task."""
        self._refused += 1
        fatal = openai_replies.configuration_error(
            status, self._url, self._served_as, message, self._table
        )
        if fatal is None and not self._served and self._refused >= REFUSALS:
            fatal = Unreachable(
                f"{self._url} has refused {self._refused} requests and served none ({status}: "
                f"{message or 'without a word'}): correct [{self._table}], then start again"
            )
        self._fatal = self._fatal or fatal
        if status == 200:
            return "endpoint-bad-reply"
        return TOO_LONG if openai_replies.is_too_long(message) else f"endpoint-{status}"

    async def _refusal(self, reply: Any) -> str:
        return openai_replies.error_message(await _read(reply), self._api_key)

    def _log_unavailable(self, reason: str, wait: float) -> None:
        if not self._unavailable:
            self._unavailable = True
            log.warning(
                "%s does not answer (%s): asking again, next in %s",
                self._url,
                reason,
                format_duration(wait),
            )


async def _read(reply: Any) -> bytes:
    """At most `replies.LONGEST_REPLY` bytes; what is longer is cut, and no completion then."""
    parts, size = [], 0
    async for part in reply.content.iter_chunked(1 << 16):
        parts.append(part)
        size += len(part)
        if size > openai_replies.LONGEST_REPLY:
            break
    return b"".join(parts)[: openai_replies.LONGEST_REPLY]
