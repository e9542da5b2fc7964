"""From a question and an answer to tokens, the same way in training, sampling and comparing.

Knows the tokenizer's interface and nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exchange.inference import chat_template
from exchange.inference.engine import Message


@dataclass(frozen=True, slots=True)
class TokenizedSample:
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


def chat_messages(question: str, system: str = "") -> list[Message]:
    """What the model is asked; no system message when it is empty."""
    first: list[Message] = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


def prompt_tokens(tokenizer: Any, asked: Sequence[Message]) -> list[int]:
    """The tokens after which the answer begins. BOS comes from the template, once.

    Raises:
        UserError: the model has no chat template, or one that refuses these roles.
    """
    return chat_template.apply(tokenizer, asked)


def tokenize_sample(tokenizer: Any, row_id: str, turns: Sequence[Message]) -> TokenizedSample:
    """One training row; the last turn is the answer."""
    tokens, start = chat_template.encode_conversation(tokenizer, turns)
    return TokenizedSample(row_id, tokens, start, len(turns[-1]["content"]))
