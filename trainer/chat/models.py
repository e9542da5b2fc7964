"""The models of a conversation: answers piece by piece, from one copy of the weights."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.inference.engine import BASE, TUNED, Message, TextPiece

if TYPE_CHECKING:
    from exchange.inference.mlx.engine import MlxEngine

CACHE_BYTES = 512 << 20  # what was made of the conversation so far, so that it is read only once


@dataclass(slots=True)
class ReplyUsage:
    """What an answer took, filled in as it comes."""

    tokens: int = 0
    seconds: float = 0.0
    finish_reason: str = "stopped"  # "stop" or "length" once it has ended by itself


class ChatModels:
    """The loaded models. All calls come from one thread."""

    def __init__(self, engine: MlxEngine) -> None:
        self._engine = engine

    def fits(self, turns: list[Message], max_tokens: int) -> bool:
        """Whether a request and its answer go into the context."""
        context = self._engine.context
        return not context or len(self._engine.encode(turns)) + max_tokens <= context

    def stream(
        self, turns: list[Message], max_tokens: int, usage: ReplyUsage, *, tuned: bool
    ) -> Generator[str, None, None]:
        """The answer in pieces, greedily. Closing the generator ends it.

        Args:
            usage: filled in meanwhile.
        """
        pieces: list[TextPiece] = []
        engine, began = self._engine, time.perf_counter()
        ticket = engine.submit(
            turns, max_tokens, 0, model=TUNED if tuned else BASE, on_piece=pieces.append
        )
        try:
            while usage.finish_reason == "stopped":
                for output in engine.step():
                    usage.finish_reason = output.finish_reason
                usage.seconds = time.perf_counter() - began
                usage.tokens += sum(piece.tokens for piece in pieces)
                yield "".join(piece.text for piece in pieces)
                pieces.clear()
        finally:
            engine.cancel(ticket)

    def close(self) -> None:
        """Let go of the batches."""
        self._engine.close()


def open_chat_models(base: Path, adapter: Path | None) -> ChatModels:
    """Base, and tuned where there is an adapter. Evaluates MLX: do not fork after it."""
    from exchange.inference.mlx.engine import MlxEngine

    return ChatModels(
        MlxEngine(base, name=base.name, width=1, adapter=adapter, cache_bytes=CACHE_BYTES)
    )
