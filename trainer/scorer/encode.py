"""From items to tokens, within the model's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from exchange.errors import TooLarge
from trainer.scorer.head import DigitHead, Shot
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.tokenization import TokenizedSample

REPORT_EVERY = 256  # items
_TRIES = 8
Progress = Callable[[int, int], None]


def training_samples(
    head: DigitHead,
    prompt: ScorePrompt,
    items: Sequence[ScoreItem],
    longest: int,
    progress: Progress = lambda done, total: None,
) -> tuple[list[TokenizedSample], int]:
    """Rows to train on, whose only target is the digit, and how many did not fit.

    What is too long is left out and counted, never cut: its score is that of the whole answer.

    Raises:
        UserError: no row fits.
    """
    found = []
    for number, item in enumerate(items):
        if number % REPORT_EVERY == 0:
            progress(number, len(items))
        tokens = head.prompt(prompt.fill(item))
        if len(tokens) < longest:
            label = head.digits[item.level]
            found.append(TokenizedSample(item.id, [*tokens, label], len(tokens), 1))
    progress(len(items), len(items))
    if not found:
        raise TooLarge(
            f"all {len(items)} rows are longer than {longest} tokens: raise [score] max_length, "
            "or choose a base with a longer context"
        )
    return found, len(items) - len(found)


def encode_to_fit(
    head: DigitHead, prompt: ScorePrompt, item: ScoreItem, longest: int, shots: Sequence[Shot] = ()
) -> tuple[list[int], bool]:
    """A prompt that fits, and whether its answer or guide had to be cut for that.

    A score always comes out; that of a cut text is never a sure one. The longer of guide and
    answer loses its end.

    Raises:
        UserError: the question alone is longer than the model's context.
    """
    tokens = head.prompt(prompt.fill(item), shots)
    first = item
    for _ in range(_TRIES):
        if len(tokens) < longest:
            return tokens, item is not first
        answer, guide = item.answer, item.guide
        # Characters for the tokens that are too many, and a tenth more, since texts differ.
        text = max(answer, guide, key=len)
        spare = int((len(tokens) - longest + 1) / len(tokens) * 1.1 * len(first.guide + text)) + 8
        short = text[: max(0, len(text) - spare)]
        item = replace(item, answer=short) if text is answer else replace(item, guide=short)
        tokens = head.prompt(prompt.fill(item), shots)
    if len(tokens) < longest:
        return tokens, True
    raise TooLarge(
        f"the question and its examples alone exceed the {longest} tokens that this model reads: "
        f"{first.question[:60]!r}"
    )
