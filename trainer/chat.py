"""From a question and an answer to tokens, the same way in training, sampling and comparing.

Knows the tokenizer's interface and nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exchange import chat_template
from exchange.engine import Message


@dataclass(frozen=True, slots=True)
class Sample:
    """One row in tokens; `tokens[start:]` is the answer with its end mark, the rest is context."""

    id: str
    tokens: list[int]
    start: int
    characters: int  # of the answer, so that two tokenizers can be compared in bits a character

    @property
    def length(self) -> int:
        """How many positions are computed: the last token is only ever predicted."""
        return len(self.tokens) - 1

    @property
    def targets(self) -> int:
        """How many tokens the loss looks at."""
        return len(self.tokens) - self.start


def messages(question: str, system: str = "") -> list[Message]:
    """What the model is asked; no system message when it is empty."""
    first: list[Message] = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


def prompt_tokens(tokenizer: Any, asked: Sequence[Message]) -> list[int]:
    """The tokens after which the answer begins. BOS comes from the template, once.

    Raises:
        UserError: the model has no chat template, or one that refuses these roles.
    """
    return chat_template.apply(tokenizer, asked)


def sample(tokenizer: Any, row_id: str, turns: Sequence[Message]) -> Sample:
    """One training row; the last turn is the answer.

    What a template writes after the end mark (often a newline) is cut off: the model is never
    asked for it. A template that writes no end mark gets one, or the model would not learn to
    stop.
    """
    ends = set(tokenizer.eos_token_ids)
    prompt = prompt_tokens(tokenizer, turns[:-1])
    whole = chat_template.apply(tokenizer, turns, add_generation_prompt=False)
    # The two differ before the prompt's end only where the tokenizer joins the answer's first
    # characters to the prompt's last ones; the loss then begins where they part.
    start = 0
    while start < min(len(prompt), len(whole)) and prompt[start] == whole[start]:
        start += 1
    last = next((i for i in range(len(whole) - 1, start - 1, -1) if whole[i] in ends), None)
    tokens = whole[: last + 1] if last is not None else [*whole, min(ends)]
    return Sample(row_id, tokens, max(start, 1), len(turns[-1]["content"]))
