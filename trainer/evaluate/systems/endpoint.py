"""Any OpenAI-compatible endpoint as one of those who are asked; it has no likelihoods."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exchange.errors import Unsupported
from exchange.inference.engine import Engine, Likelihood, drain
from exchange.records import digest
from trainer.evaluate.systems.client import Messages, ModelOutput

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
        """See `Speaker.fits`: only the endpoint knows."""
        return True

    def answer(
        self,
        prompts: Sequence[Messages],
        max_tokens: int,
        ended: Callable[[int, ModelOutput], None],
        stop: Callable[[], bool],
    ) -> None:
        """See `Speaker.answer`.

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

    def weigh(
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
