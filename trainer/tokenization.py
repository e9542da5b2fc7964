"""From a question and an answer to tokens, the same way in training, sampling and comparing.

Knows the tokenizer's interface, and of a model only how long its context is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from exchange.errors import TooLarge
from exchange.inference import chat_template, runtime
from exchange.inference.engine import Message
from exchange.recipes.prompts import PromptTemplate

REPORT_EVERY = 256  # rows


class Conversation(Protocol):
    """What can be taught: turns of which the last is the answer."""

    @property
    def id(self) -> str:
        """Names it."""

    def turns(self) -> list[Message]:
        """All messages, in the order of the conversation."""


@dataclass(frozen=True, slots=True)
class TokenizedSample:
    """One row in tokens; `tokens[start:]` is the answer with its end mark, the rest is context."""

    id: str
    tokens: list[int]
    start: int
    characters: int  # of the answer, so that two tokenizers can be compared in bits a character
    rejected: TokenizedSample | None = None  # the same question with an answer that is not to be

    def rows(self) -> list[TokenizedSample]:
        """The conversations that are computed to learn it, each by itself; the answer's first."""
        return [replace(self, rejected=None), self.rejected] if self.rejected else [self]

    @property
    def length(self) -> int:
        """How many positions are computed to learn it: a last token is only ever predicted."""
        return len(self.tokens) - 1 + (self.rejected.length if self.rejected else 0)

    @property
    def width(self) -> int:
        """Positions of the longest of its rows: what it is computed with is about as long."""
        return max(row.length for row in self.rows())

    @property
    def targets(self) -> int:
        """How many tokens the loss looks at."""
        return len(self.tokens) - self.start


def chat_messages(question: str, system: str = "") -> list[Message]:
    """What the model is asked; no system message when it is empty."""
    first: list[Message] = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


PASSAGE_PLACEHOLDERS = frozenset({"passages", "question"})


def passage_messages(
    template: PromptTemplate, question: str, passages: Iterable[tuple[str, str]], system: str = ""
) -> list[Message]:
    """What the model is asked under passages of the archive; the best one stands last.

    What stands nearest to the question is used most by small models.

    Args:
        passages: the best one first; of each the line above it (newspaper, date, title) and text.
    """
    shown = "\n\n".join(f"{head}\n{text}" for head, text in reversed(list(passages)))
    return chat_messages(template.fill({"passages": shown, "question": question}), system)


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


def longest_row(model: Any, max_length: int) -> int:
    """The most tokens that a row may have: the setting's, within the model's context."""
    limit = runtime.context_length(model)
    return min(max_length, limit) if limit else max_length


def encode_rows(
    tokenizer: Any,
    rows: Sequence[Conversation],
    longest: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[TokenizedSample], int]:
    """All rows that fit, and how many do not.

    A row that is too long is left out and counted, never cut: a chopped answer teaches to chop.

    Raises:
        UserError: no row fits, or the chat template refuses one.
    """
    samples = []
    for number, row in enumerate(rows):
        if number % REPORT_EVERY == 0:
            progress(number, len(rows))
        sample = tokenize_sample(tokenizer, row.id, row.turns())
        if len(sample.tokens) <= longest:
            samples.append(sample)
    progress(len(rows), len(rows))
    if not samples:
        raise TooLarge(
            f"all {len(rows)} rows are longer than {longest} tokens: raise [train] max_length, or "
            "choose a model with a longer context"
        )
    return samples, len(rows) - len(samples)
