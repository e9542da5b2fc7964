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
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.errors import UserError
from exchange.inference.engine import TUNED, Message, RequestOutput, TextPiece
from trainer.abstention import AnswerThreshold
from trainer.serve.protocol import ApiError, GenerationEnd, GenerationRequest

if TYPE_CHECKING:
    from exchange.inference.mlx.engine import MlxEngine

log = logging.getLogger(__name__)

STOPPING = "the server is stopping"
Event = TextPiece | GenerationEnd | ApiError
EventHandler = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Withholding:
    """When an answer of the tuned model is withheld, and what is said in its place."""

    threshold: AnswerThreshold
    refusal: str


@dataclass(slots=True)
class _HeldAnswer:
    """An answer that is given only once it is whole and likely enough."""

    turns: list[Message]
    pieces: list[TextPiece] = field(default_factory=list)


class InferenceThread:
    """Loads in its own thread; use `start`, then `ask` from the event loop, then `close`.

    Args:
        load: called in the thread.
        max_tokens: longest answer where a request names no length.
        capacity: requests taken at a time, waiting ones included.
        withhold: lets the tuned model say that it does not know; its answers then come whole.
    """

    def __init__(
        self,
        load: Callable[[], MlxEngine],
        *,
        max_tokens: int,
        capacity: int,
        withhold: Withholding | None = None,
    ) -> None:
        self._withhold = withhold
        self._held: dict[int, _HeldAnswer] = {}  # by ticket
        self._load = load
        self._max_tokens = max_tokens
        self._capacity = capacity
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._open: set[int] = set()  # numbers of the requests under way; of the event loop
        self._numbers = 0
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._loaded: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._engine: MlxEngine
        self._tickets: dict[int, int] = {}  # of the engine, by the number of the request
        self._handlers: dict[int, tuple[int, EventHandler]] = {}  # by ticket
        self._events: list[tuple[EventHandler, Event]] = []
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
    def active(self) -> int:
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

    async def ask(self, request: GenerationRequest) -> AsyncGenerator[TextPiece | GenerationEnd]:
        """The answer, piece by piece; leaving the iteration cancels the request.

        Raises:
            ApiError: too many requests, a prompt that is too long, a template that refuses it.
        """
        if self._broken:
            raise self._refusal()
        if len(self._open) >= self._capacity:
            raise ApiError(503, "too many requests are waiting: come again", code="overloaded")
        self._loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()
        self._numbers += 1
        number = self._numbers
        self._open.add(number)
        self._commands.put(lambda: self._start(number, request, events.put_nowait))
        ended = False
        try:
            if self._broken:  # since the look above; the thread may not see the command any more
                raise self._refusal()
            while not ended:
                event = await events.get()
                ended = not isinstance(event, TextPiece)
                if isinstance(event, ApiError):
                    raise event
                yield event
        finally:
            self._open.discard(number)
            if not ended:
                self._commands.put(lambda: self._cancel(number))

    def replace_adapter(self, adapter: Path, scale: float, taken: Callable[[], None]) -> None:
        """Let the tuned model be another one from the next request on; `taken` is called then.

        Answers under way end as they began. One that cannot be loaded is logged, changes nothing.
        """
        self._commands.put(lambda: self._replace(adapter, scale, taken))

    def _refusal(self) -> ApiError:
        return ApiError(503, self._broken or STOPPING, code="stopped")

    def close(self) -> None:
        """End everything; requests under way are ended with an error."""
        self._broken = self._broken or STOPPING
        self._commands.put(None)
        if self._thread.is_alive():
            self._thread.join()

    # -- everything below runs in the thread of the models

    def _run(self) -> None:
        try:
            self._engine = self._load()
        except BaseException as error:  # raised in `start`
            self._loaded.put(error)
            return
        self._loaded.put(None)
        try:
            while self._run_commands():
                for output in self._engine.step():
                    self._end(output)
                self._send()
        except Exception as error:
            log.exception("the models' thread failed")
            self._broken = f"the models failed ({type(error).__name__}: {error}): start it again"
        for _, handler in self._handlers.values():
            self._events.append((handler, self._refusal()))
        while not self._commands.empty():
            command = self._commands.get()
            if command:
                command()
        self._send()
        with suppress(Exception):
            self._engine.close()
        del self._engine  # in the thread that its arrays belong to

    def _run_commands(self) -> bool:
        """Carry out all commands there are; waits for one when there is nothing to decode."""
        while True:
            try:
                command = self._commands.get(block=not self._handlers)
            except queue.Empty:
                return True
            if command is None:
                return False
            command()
            self._send()

    def _start(self, number: int, request: GenerationRequest, handler: EventHandler) -> None:
        seed = secrets.randbits(64) if request.seed is None else request.seed % (1 << 64)
        try:
            if self._broken:
                raise self._refusal()
            prompt, longest = self._encode(request)
        except ApiError as refusal:
            self._events.append((handler, refusal))
            return
        held = _HeldAnswer(request.turns) if self._withhold and request.model == TUNED else None

        def on_piece(piece: TextPiece) -> None:
            if held:
                held.pieces.append(piece)
            else:
                self._events.append((handler, piece))

        ticket = self._engine.submit_tokens(
            prompt,
            longest,
            seed,
            sampling=request.sampling,
            model=request.model,
            on_piece=on_piece,
        )
        if held:
            self._held[ticket] = held
        self._tickets[number] = ticket
        self._handlers[ticket] = (number, handler)

    def _replace(self, adapter: Path, scale: float, taken: Callable[[], None]) -> None:
        try:
            self._engine.replace_adapter(adapter, scale)
            taken()
        except UserError as error:
            log.error("the adapter in %s is not taken: %s", adapter, error)

    def _encode(self, request: GenerationRequest) -> tuple[list[int], int]:
        """The prompt in tokens, and how many may follow."""
        try:
            prompt = self._engine.encode(request.turns)
        except UserError as error:
            raise ApiError(400, str(error), param="messages", code="invalid_messages") from None
        context = self._engine.context
        room = context - len(prompt) if context else self._max_tokens
        longest = request.max_tokens or min(self._max_tokens, max(room, 1))
        if context and longest > room:
            raise ApiError(
                400,
                f"This model's maximum context length is {context} tokens, and the messages have "
                f"{len(prompt)} with {longest} to come: shorten them, or ask for fewer.",
                param="messages",
                code="context_length_exceeded",
            )
        return prompt, longest

    def _cancel(self, number: int) -> None:
        ticket = self._tickets.pop(number, None)
        if ticket is not None:
            del self._handlers[ticket]
            self._held.pop(ticket, None)
            self._engine.cancel(ticket)

    def _end(self, output: RequestOutput) -> None:
        number, handler = self._handlers.pop(output.ticket)
        del self._tickets[number]
        held = self._held.pop(output.ticket, None)
        if held and self._withhold:
            self._events += [(handler, piece) for piece in self._given(held, self._withhold)]
        # The end mark counts, as with OpenAI.
        mark = int(output.finish_reason == "stop" and not output.stop_string)
        tokens_out = output.tokens_out + mark
        end = GenerationEnd(output.finish_reason, output.tokens_in, tokens_out)
        self._events.append((handler, end))

    def _given(self, held: _HeldAnswer, withhold: Withholding) -> list[TextPiece]:
        """The answer as it came, or what is said where the model finds it too unlikely."""
        answer = "".join(piece.text for piece in held.pieces).strip()
        (found,) = self._engine.loglikelihood([held.turns], [answer], model=TUNED)
        if not withhold.threshold.withholds(found.mean):
            return held.pieces
        return [TextPiece(withhold.refusal, tokens=sum(piece.tokens for piece in held.pieces))]

    def _send(self) -> None:
        """Wake the event loop once for everything that has come up."""
        if not self._events or self._loop is None:
            return
        events, self._events = self._events, []
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(_deliver, events)


def _deliver(events: list[tuple[EventHandler, Event]]) -> None:
    for handler, event in events:
        handler(event)
