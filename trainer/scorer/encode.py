"""From items to tokens, within the model's context, up to the label; which tokens are labels.

The labels of a scale are the ten digits, and letters where it has more marks. Tokenizers differ in
what they put before a digit (a blank of its own, nothing) and templates in what they put after an
answer. So one prompt is encoded with each label: what all have in common is the prompt, and where
they part stand the labels' tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from exchange.errors import ModelUnfit, TooLarge
from exchange.inference import chat_template, control_tokens
from trainer import tokenization
from trainer.scorer.items import ScoreItem, ScorePrompt
from trainer.tokenization import TokenizedSample

DIGITS = "0123456789"
# Of finer scales, in this order, as far as the tokenizer has one token for each.
_LETTERS = (*ascii_uppercase, *ascii_lowercase, *map("".join, product(ascii_lowercase, repeat=2)))
_PROBE = "1 α:"
# The last one is also what decoders that see pictures are called.
_DECODERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
Shot = tuple[str, int]  # a filled prompt and its level: an example put before the question


@dataclass(frozen=True, slots=True)
class LabelHead:
    """Encodes prompts of one tokenizer up to the label."""

    tokenizer: Any
    labels: tuple[str, ...]  # how each level is written, from 0 on; at least the ten digits
    ids: tuple[int, ...]  # their tokens
    tail: int  # tokens from the label on, itself included

    def prompt(self, text: str, shots: Sequence[Shot] = ()) -> list[int]:
        """The tokens after which the label comes.

        Args:
            shots: examples, as turns before this one.

        Raises:
            UserError: the tokenizer reads the label otherwise here than it did when tried.
        """
        examples = [(asked, self.labels[level]) for asked, level in shots]
        whole = _encode(self.tokenizer, text, examples, self.labels[0])
        at = len(whole) - self.tail
        if at < 1 or whole[at] != self.ids[0]:
            raise ModelUnfit(
                "the tokenizer joins the label with what stands before it: choose another base"
            )
        return whole[:at]


def find_label_head(tokenizer: Any, count: int = len(DIGITS)) -> LabelHead:
    """The head of a tokenizer.

    Args:
        count: marks of the finest scale; up to ten the digits do.

    Raises:
        ModelUnfit: it has no token of its own for each digit (as tokenizers without Latin digits
            have), or not for as many letters, so that no score could be read.
    """
    tried = [_encode(tokenizer, _PROBE, (), digit) for digit in DIGITS]
    columns = list(zip(*tried, strict=False))
    common = next((i for i, column in enumerate(columns) if len(set(column)) > 1), len(columns))
    digits = tuple(tokens[common] if common < len(tokens) else -1 for tokens in tried)
    unknown = getattr(tokenizer, "unk_token_id", None)
    if len(set(digits)) < len(DIGITS) or -1 in digits or unknown in digits:
        raise ModelUnfit(
            "this model's tokenizer has no token of its own for each of the ten digits, so no "
            "score can be read from it: choose a base that has (Mistral, Llama, Qwen, Gemma do)"
        )
    labels, ids = list(DIGITS), list(digits)
    for letters in _LETTERS:
        if len(labels) >= count:
            break
        tokens = _encode(tokenizer, _PROBE, (), letters)
        token = tokens[common] if common < len(tokens) else unknown
        if token is None or token in ids or token == unknown:
            continue
        if [*tokens[:common], digits[0], *tokens[common + 1 :]] == tried[0]:
            labels.append(letters)
            ids.append(token)
    if len(labels) < count:
        raise ModelUnfit(
            f"this model's tokenizer has {len(labels)} tokens that can stand for a mark, and the "
            f"scale has {count} marks: another base, or a coarser scale"
        )
    return LabelHead(tokenizer, tuple(labels), tuple(ids), len(tried[0]) - common)


def check_architecture(config: dict[str, Any]) -> None:
    """Refuse a model that does not end in a vocabulary before its weights are read.

    Raises:
        UserError: an encoder, an encoder-decoder, or a head made for classes.
    """
    names = [str(name) for name in config.get("architectures") or []]
    if config.get("is_encoder_decoder") or not all(name.endswith(_DECODERS) for name in names):
        what = ", ".join(names) or str(config.get("model_type"))
        raise ModelUnfit(
            f"{what} has no head that the digits could be read from: the scorer needs a decoder "
            "(its config.json says ...ForCausalLM), such as Mistral, Llama, Qwen or Gemma"
        )


def _encode(tokenizer: Any, text: str, shots: Sequence[tuple[str, str]], label: str) -> list[int]:
    """A whole conversation, label and all; as plain text where there is no chat template."""
    if not chat_template.has_template(tokenizer):
        before = "".join(f"{asked} {said}\n\n" for asked, said in shots)
        return control_tokens.of(tokenizer).encode_text(f"{before}{text} {label}")
    turns = []
    for asked, said in (*shots, (text, label)):
        turns += [*tokenization.chat_messages(asked), {"role": "assistant", "content": said}]
    return chat_template.apply(tokenizer, turns, add_generation_prompt=False)


REPORT_EVERY = 256  # items
_TRIES = 8
Progress = Callable[[int, int], None]


def training_samples(
    head: LabelHead,
    prompt: ScorePrompt,
    items: Sequence[ScoreItem],
    longest: int,
    progress: Progress = lambda done, total: None,
) -> tuple[list[TokenizedSample], int]:
    """Rows to train on, whose only target is the label, and how many did not fit.

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
            label = head.ids[item.level]
            found.append(TokenizedSample(item.id, [*tokens, label], len(tokens), 1))
    progress(len(items), len(items))
    if not found:
        raise TooLarge(
            f"all {len(items)} rows are longer than {longest} tokens: raise [score] max_length, "
            "or choose a base with a longer context"
        )
    return found, len(items) - len(found)


def encode_to_fit(
    head: LabelHead, prompt: ScorePrompt, item: ScoreItem, longest: int, shots: Sequence[Shot] = ()
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
