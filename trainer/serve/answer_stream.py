"""One answer while it is decoded: from its tokens to what may be sent of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.inference.detokenizer import Detokenizer, StopStrings
from trainer.serve.protocol import (
    ChosenLogprob,
    GenerationEnd,
    GenerationRequest,
    TextDelta,
    TopLogprob,
)

if TYPE_CHECKING:
    from exchange.inference.mlx.streaming import DecodedToken


class AnswerStream:
    """The state of one request.

    Args:
        number: of the request.
        tokens_in: length of the prompt.
    """

    def __init__(
        self, number: int, asked: GenerationRequest, tokenizer: Any, tokens_in: int
    ) -> None:
        self.number = number
        self._tokenizer = tokenizer
        self._decoder = Detokenizer(tokenizer)
        self._stops = StopStrings(asked.stops)
        self._tells = asked.top is not None
        self._told: list[ChosenLogprob] = []  # of tokens whose text is still held back
        self._tokens_in, self._tokens_out = tokens_in, 0

    def advance(self, token: DecodedToken) -> list[TextDelta | GenerationEnd]:
        """What the next token adds: a piece, the end, both, or nothing yet."""
        self._tokens_out += 1
        text = ""
        if token.end != "stop":
            text = self._stops.push(self._decoder.add(token.token))
            if self._tells:
                self._told.append(self._tell(token))
        if token.end and not self._stops.hit:
            text += self._stops.push(self._decoder.end())
        if token.end and not self._stops.hit:
            text += self._stops.end()
        reason = "stop" if self._stops.hit else token.end
        events: list[TextDelta | GenerationEnd] = []
        if text or (reason and self._told):
            events.append(TextDelta(text, tuple(self._told)))
            self._told.clear()
        if reason:
            events.append(GenerationEnd(reason, self._tokens_in, self._tokens_out))
        return events

    def _tell(self, token: DecodedToken) -> ChosenLogprob:
        spell = self._tokenizer.decode
        return ChosenLogprob(
            TopLogprob(spell([token.token]), token.logprob),
            tuple(TopLogprob(spell([one]), logprob) for one, logprob in token.top),
        )
