"""The judge that a local model is: it may say one letter, and its logits say how surely."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from exchange.errors import ModelUnfit, Stopped
from exchange.inference import chat_template
from exchange.inference.engine import Likelihood, Message
from exchange.recipes.prompts import PromptTemplate
from trainer import tokenization
from trainer.evaluate.judge.pairwise import JudgeCase
from trainer.evaluate.systems.answer_cache import AnswerCache, likelihood_key
from trainer.evaluate.systems.local import LocalWeights

PLACEHOLDERS = {"passage", "question", "first", "second"}
LETTERS = ("A", "B")  # Latin: a tokenizer has them as one token, Greek ones often not
BATCH = 64  # contests between two looks at whether to stop; rows at once are fewer


class LetterJudge:
    """The base model; the tuned one would judge its own answers.

    Args:
        store: where what the base said is kept, so that no contest is judged twice.
    """

    def __init__(
        self,
        weights: LocalWeights,
        name: str,
        template: PromptTemplate,
        store: AnswerCache,
        stop: Callable[[], bool],
    ) -> None:
        self._weights, self._template, self._store, self._stop = weights, template, store, stop
        self.name = name
        self.signature = (
            f"judge|pairwise, both orders|letter logits A, B|chunk shown|prompt:{template.id} "
            f"{template.sha}|v:1"
        )

    def prefer(
        self, contests: Sequence[JudgeCase], progress: Callable[[], None] = lambda: None
    ) -> list[float]:
        """See `Judge.prefer`.

        Raises:
            UserError: the tokenizer has no token of its own for a letter, or stopped.
        """
        prompts = self._prompts(contests)
        missing = {c: prompt for c, prompt in prompts if c not in self._store.weighed}
        if missing:
            self._judge(missing, progress)
        return [math.exp(self._store.weighed[cell].logprob) for cell, _ in prompts]

    def missing(self, contests: Sequence[JudgeCase]) -> int:
        """See `Judge.missing`."""
        return len({cell for cell, _ in self._prompts(contests)} - self._store.weighed.keys())

    def _prompts(self, contests: Sequence[JudgeCase]) -> list[tuple[str, list[Message]]]:
        """What is asked, each with the name it is stored under."""
        prompts = [tokenization.chat_messages(self._filled(contest)) for contest in contests]
        return [(likelihood_key(prompt, "|".join(LETTERS)), prompt) for prompt in prompts]

    def _judge(self, missing: Mapping[str, list[Message]], progress: Callable[[], None]) -> None:
        engine = self._weights.engine()
        start, letters = _tokens(engine.tokenizer, next(iter(missing.values())))
        for cells in _batched(missing, BATCH):
            if self._stop():
                raise Stopped("stopped; run the same command again to go on")
            some = [[*engine.encode(missing[cell]), *start] for cell in cells]
            said = engine.choice_logits(some, letters)
            for cell, (a, b) in zip(cells, said, strict=True):
                share = -math.log1p(math.exp(float(b) - float(a)))
                self._store.add_likelihood(cell, Likelihood(share, 1))
                progress()

    def _filled(self, contest: JudgeCase) -> str:
        item = contest.item
        return self._template.fill(
            {
                "passage": f"{item.header}\n{item.gold}".strip(),
                "question": item.question,
                "first": contest.first or "—",
                "second": contest.second or "—",
            }
        )


def _batched(cells: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of up to `size`, in order."""
    rest = iter(cells)
    while some := list(islice(rest, size)):
        yield some


def _tokens(tokenizer: object, prompt: list[Message]) -> tuple[list[int], list[int]]:
    """What every letter's answer begins with after the prompt, and the tokens that tell them apart.

    A tokenizer may put a blank or a mark before the first letter of an answer.
    """
    said = []
    begins = len(tokenization.prompt_tokens(tokenizer, prompt))
    for letter in LETTERS:
        tokens, start = chat_template.encode_conversation(
            tokenizer, [*prompt, {"role": "assistant", "content": letter}]
        )
        said.append(tokens[min(start, begins) :])
    for place, pair in enumerate(zip(*said, strict=False)):
        if pair[0] != pair[1]:
            return said[0][:place], list(pair)
    raise ModelUnfit(
        "the model's tokenizer cannot tell the letters A and B: [evaluate] judge = false"
    )
