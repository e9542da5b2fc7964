"""Where the label stands and which tokens are its ten digits, found by trying.

Tokenizers differ in what they put before a digit (a blank of its own, nothing) and templates in
what they put after an answer. So one prompt is encoded with each of the ten digits: what all ten
have in common is the prompt, and where they part stand the digits' tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exchange.errors import ModelUnfit
from exchange.inference import chat_template
from trainer import tokenization

DIGITS = "0123456789"
_PROBE = "1 α:"
# The last one is also what decoders that see pictures are called.
_DECODERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
Shot = tuple[str, int]  # a filled prompt and its level: an example put before the question


@dataclass(frozen=True, slots=True)
class DigitHead:
    """Encodes prompts of one tokenizer up to the label."""

    tokenizer: Any
    digits: tuple[int, ...]  # token ids of 0 to 9 at the label
    tail: int  # tokens from the label on, itself included

    def prompt(self, text: str, shots: Sequence[Shot] = ()) -> list[int]:
        """The tokens after which the label comes.

        Args:
            shots: examples, as turns before this one.

        Raises:
            UserError: the tokenizer reads the label otherwise here than it did when tried.
        """
        whole = _encode(self.tokenizer, text, shots, DIGITS[0])
        at = len(whole) - self.tail
        if at < 1 or whole[at] != self.digits[0]:
            raise ModelUnfit(
                "the tokenizer joins the label with what stands before it: choose another base"
            )
        return whole[:at]


def find_digit_head(tokenizer: Any) -> DigitHead:
    """The head of a tokenizer.

    Raises:
        UserError: it has no token of its own for each digit (as tokenizers without Latin digits
            have), so that no score could be read.
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
    return DigitHead(tokenizer, digits, len(tried[0]) - common)


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


def _encode(tokenizer: Any, text: str, shots: Sequence[Shot], digit: str) -> list[int]:
    """A whole conversation, label and all; as plain text where there is no chat template."""
    if not chat_template.has_template(tokenizer):
        before = "".join(f"{asked} {level}\n\n" for asked, level in shots)
        return [int(token) for token in tokenizer.encode(f"{before}{text} {digit}")]
    turns = []
    for asked, level in (*shots, (text, int(digit))):
        turns += [*tokenization.chat_messages(asked), {"role": "assistant", "content": str(level)}]
    return chat_template.apply(tokenizer, turns, add_generation_prompt=False)
