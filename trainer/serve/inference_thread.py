"""The thread in which the models live: takes requests, decodes, hands pieces of answers back.

MLX's streams belong to threads, and a tokenizer must not be used by two at once: so everything
from the first weight to the last word happens in this one thread. The event loop hands in requests
through a queue, and is woken once a step for all the pieces that came of it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exchange.errors import UserError
from exchange.inference import chat_template
from trainer.serve.answer_stream import AnswerStream
from trainer.serve.protocol import ApiError, GenerationEnd, GenerationRequest, TextDelta

if TYPE_CHECKING:
    from exchange.inference.mlx.streaming import StreamingBatch

log = logging.getLogger(__name__)

STOPPING = "the server is stopping"
Event = TextDelta | GenerationEnd | ApiError
EventHandler = Callable[[Event], None]
RowKey = tuple[str, int]  # name of a lane, and a row in it


@dataclass(frozen=True, slots=True)
class ServedModels:
    """What was loaded: the batch of each model, and what all of them have in common."""

    lanes: Mapping[str, StreamingBatch]
    tokenizer: Any
    context: int  # longest text in tokens; 0 when the model does not say


class InferenceThread:
    """Loads in its own thread; use `start`, then `ask` from the event loop, then `close`.

    Args:
        load: called in the thread.
        max_tokens: longest answer where a request names no length.
        room: requests taken at a time, waiting ones included.
    """

    def __init__(self, load: Callable[[], ServedModels], *, max_tokens: int, room: int) -> None:
        self._load = load
        self._max_tokens = max_tokens
        self._room = room
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._open: set[int] = set()  # numbers of the requests under way; of the event loop
        self._numbers = 0
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._loaded: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._models: ServedModels
        self._places: dict[int, RowKey] = {}  # by the number of the request
        self._rows: dict[RowKey, tuple[AnswerStream, EventHandler]] = {}
        self._outbox: list[tuple[EventHandler, Event]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broken = ""

    def start(self) -> None:
        """Load the models and return when they are ready.

        Raises:
            UserError: they cannot be loaded.
        """
        self._thread.start()
        error = self._loaded.get()
        if error is not None:
            raise error

    @property
    def under_way(self) -> int:
        """Requests that have not ended."""
        return len(self._open)

    @property
    def broken(self) -> str:
        """Why nothing can be answered any more; "" while all is well."""
        return self._broken

    @property
    def failed(self) -> bool:
        """It has ended by itself, not because it was closed."""
        return self._broken not in ("", STOPPING)

    def wait(self) -> None:
        """Return when the thread has ended, by `close` or by itself."""
        self._thread.join()

    async def ask(self, asked: GenerationRequest) -> AsyncGenerator[TextDelta | GenerationEnd]:
        """The answer, piece by piece; leaving the iteration cancels the request.

        Raises:
            Refusal: too many requests, a prompt that is too long, a template that refuses it.
        """
        if self._broken:
            raise self._refusal()
        if len(self._open) >= self._room:
            raise ApiError(503, "too many requests are waiting: come again", code="overloaded")
        self._loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()
        self._numbers += 1
        number = self._numbers
        self._open.add(number)
        self._orders.put(lambda: self._take(number, asked, events.put_nowait))
        ended = False
        try:
            if self._broken:  # since the look above; the thread may not see the order any more
                raise self._refusal()
            while not ended:
                event = await events.get()
                ended = not isinstance(event, TextDelta)
                if isinstance(event, ApiError):
                    raise event
                yield event
        finally:
            self._open.discard(number)
            if not ended:
                self._orders.put(lambda: self._drop(number))

    def _refusal(self) -> ApiError:
        return ApiError(503, self._broken or STOPPING, code="stopped")

    def close(self) -> None:
        """End everything; requests under way are told so."""
        self._broken = self._broken or STOPPING
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join()

    # -- everything below runs in the thread of the models

    def _run(self) -> None:
        try:
            self._models = self._load()
        except BaseException as error:  # told to whoever waits in `start`
            self._loaded.put(error)
            return
        self._loaded.put(None)
        try:
            while self._obey():
                for name, lane in self._models.lanes.items():
                    if len(lane):
                        self._step(name, lane)
                self._send()
        except Exception as error:
            log.exception("the models' thread failed")
            self._broken = f"the models failed ({type(error).__name__}: {error}): start it again"
        for _, hand in self._rows.values():
            self._outbox.append((hand, self._refusal()))
        while not self._orders.empty():
            order = self._orders.get()
            if order:
                order()
        self._send()
        for lane in self._models.lanes.values():
            with suppress(Exception):
                lane.close()
        del self._models  # in the thread that its arrays belong to

    def _obey(self) -> bool:
        """Carry out all orders there are; waits for one when there is nothing to decode."""
        while True:
            try:
                order = self._orders.get(block=not self._rows)
            except queue.Empty:
                return True
            if order is None:
                return False
            order()
            self._send()

    def _take(self, number: int, asked: GenerationRequest, hand: EventHandler) -> None:
        from exchange.inference.mlx.streaming import SamplingParams

        seed = secrets.randbits(64) if asked.seed is None else asked.seed % (1 << 64)
        draw = SamplingParams(asked.temperature, asked.top_p, seed)
        try:
            if self._broken:
                raise self._refusal()
            prompt, most = self._encode(asked)
            row = self._models.lanes[asked.model].add(prompt, most, draw, asked.top)
        except ApiError as refusal:
            self._outbox.append((hand, refusal))
            return
        self._places[number] = (asked.model, row)
        made = AnswerStream(number, asked, self._models.tokenizer, len(prompt))
        self._rows[asked.model, row] = (made, hand)

    def _encode(self, asked: GenerationRequest) -> tuple[list[int], int]:
        """The prompt in tokens, and how many may follow."""
        try:
            prompt = chat_template.apply(self._models.tokenizer, asked.turns)
        except UserError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_messages") from None
        context = self._models.context
        room = context - len(prompt) if context else self._max_tokens
        most = asked.max_tokens or min(self._max_tokens, max(room, 1))
        if context and most > room:
            raise ApiError(
                400,
                f"This model's maximum context length is {context} tokens, and the messages have "
                f"{len(prompt)} with {most} to come: shorten them, or ask for fewer.",
                param="messages",
                code="context_length_exceeded",
            )
        return prompt, most

    def _drop(self, number: int) -> None:
        place = self._places.pop(number, None)
        if place and self._rows.pop(place, None):
            self._models.lanes[place[0]].remove(place[1])

    def _step(self, name: str, lane: StreamingBatch) -> None:
        for token in lane.step():
            found = self._rows.get((name, token.row))
            if found is None:
                continue
            row, hand = found
            for event in row.advance(token):
                self._outbox.append((hand, event))
                if isinstance(event, GenerationEnd):
                    self._drop(row.number)

    def _send(self) -> None:
        """Wake the event loop once for everything that has come up."""
        if not self._outbox or self._loop is None:
            return
        sent, self._outbox = self._outbox, []
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(_hand_out, sent)


def _hand_out(sent: list[tuple[EventHandler, Event]]) -> None:
    for hand, event in sent:
        hand(event)
