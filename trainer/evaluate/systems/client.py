"""A model that can be asked: prompts go in, answers come out as they end.

`LocalModel` (in `local`) is one; any OpenAI-compatible endpoint is the other, without likelihoods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from exchange.errors import Unsupported
from exchange.inference.engine import Engine, Likelihood, Message, RequestOutput, drain
from exchange.records import Record, digest

Messages = list[Message]


class ModelOutput(Record, frozen=True):
    """One answer and what it took."""

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float  # its share of the batch it was computed in
    finish_reason: str  # "stop", "length" or "error"
    error: str = ""

    @classmethod
    def of(cls, output: RequestOutput) -> Self:
        """What an engine handed over; its seconds are its share of the batch, where known."""
        return cls(
            output.text,
            output.tokens_in,
            output.tokens_out,
            output.batch_share_s or output.seconds,
            "error" if output.error else output.finish_reason,
            output.error,
        )


class ModelClient(Protocol):
    """Answers greedily. Opened when the first cell is missing, so that a full store loads no model.

    Attributes:
        key: hash of everything that its answers depend on, besides the prompt.
        about: one line for people.
        likelihood: `loglikelihood` works.
    """

    key: str
    about: str
    likelihood: bool

    def fits(self, prompt: Messages, max_tokens: int) -> bool:
        """Whether prompt and answer go into the model's context; true where nobody knows."""

    def answer(
        self,
        prompts: Sequence[Messages],
        max_tokens: int,
        ended: Callable[[int, ModelOutput], None],
        stop: Callable[[], bool],
    ) -> None:
        """Answer every prompt; `ended` is called with its number as each one ends.

        Args:
            stop: true leaves the rest unanswered.
        """

    def loglikelihood(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[str],
        weighed: Callable[[int, Likelihood], None],
        stop: Callable[[], bool],
    ) -> None:
        """How probable each completion is after its prompt; equal prompts stand side by side."""


SEED = 7  # decoding is greedy; some endpoints want one


class EndpointClient:
    """Speaks through an engine, which is opened when first asked.

    Args:
        connect: opens the engine.
    """

    likelihood = False

    def __init__(self, url: str, model: str, connect: Callable[[], Engine]) -> None:
        self._connect = connect
        self.key = digest("endpoint", url, model, size=8)
        self.about = f"{model} at an endpoint"

    def fits(self, prompt: Messages, max_tokens: int) -> bool:
        """See `ModelClient.fits`: only the endpoint knows."""
        return True

    def answer(
        self,
        prompts: Sequence[Messages],
        max_tokens: int,
        ended: Callable[[int, ModelOutput], None],
        stop: Callable[[], bool],
    ) -> None:
        """See `ModelClient.answer`.

        Raises:
            UserError: nothing answers there, or it refuses what every request would meet alike.
        """
        engine = self._connect()
        try:
            tickets = {
                engine.submit(list(prompt), max_tokens, SEED): number
                for number, prompt in enumerate(prompts)
            }
            drain(engine, tickets, lambda number, done: ended(number, ModelOutput.of(done)), stop)
        finally:
            engine.close()

    def loglikelihood(
        self,
        prompts: Sequence[Messages],
        completions: Sequence[str],
        weighed: Callable[[int, Likelihood], None],
        stop: Callable[[], bool],
    ) -> None:
        """Refuse: nobody asks, since `likelihood` is false.

        Raises:
            UserError: always.
        """
        raise Unsupported("an endpoint gives answers, and no likelihoods")
