"""From the rows of a dataset to what the loop reads: tokens, within the model's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from exchange.errors import TooLarge
from trainer import tokenization
from trainer.dataset.rows import DatasetRow
from trainer.tokenization import TokenizedSample

REPORT_EVERY = 256  # rows


def context_length(model: Any) -> int:
    """The longest text the model was made for, in tokens; 0 when it does not say."""
    about = getattr(model, "args", None)
    names = ("max_position_embeddings", "n_positions")  # the second is GPT-2's
    return next((int(found) for name in names if (found := getattr(about, name, 0))), 0)


def encode_rows(
    tokenizer: Any,
    rows: Sequence[DatasetRow],
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
        sample = tokenization.tokenize_sample(tokenizer, row.id, row.turns())
        if len(sample.tokens) <= longest:
            samples.append(sample)
    progress(len(rows), len(rows))
    if not samples:
        raise TooLarge(
            f"all {len(rows)} rows are longer than {longest} tokens: raise [train] max_length, or "
            "choose a model with a longer context"
        )
    return samples, len(rows) - len(samples)
