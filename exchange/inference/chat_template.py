"""From messages to tokens by a model's own chat template, the same way wherever a model is asked.

BOS stands at the beginning exactly once. Some templates write it, others leave it to the
tokenizer, which does not write it when a template is applied; a model that was trained with it
(Meltemi's makers insist) answers badly without. So `write_bos` completes the template when a
model is loaded, and everything that uses or saves its tokenizer agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchange.errors import ModelUnfit, UserError
from exchange.inference.engine import Message

_WRITE_BOS = "{{ bos_token }}"


def apply(
    tokenizer: Any, turns: Sequence[Message], *, add_generation_prompt: bool = True
) -> list[int]:
    """The tokens of a conversation.

    Args:
        add_generation_prompt: end where the answer begins.

    Raises:
        UserError: the model has no chat template, or one that refuses these roles.
    """
    if not has_template(tokenizer):
        raise ModelUnfit(
            "the model's tokenizer has no chat template: choose a model tuned to follow "
            "instructions (its name often ends in Instruct or it)"
        )
    try:
        # mlx-lm's wrapper asks transformers for a plain list; templates of its own take no more.
        tokens = tokenizer.apply_chat_template(
            list(turns), add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # the template is a program of the model's makers
        hint = "; set [persona] system to nothing" if turns[0]["role"] == "system" else ""
        raise ModelUnfit(f"the model's chat template refuses a row ({error}){hint}") from None
    return [int(token) for token in tokens]


def encode_conversation(tokenizer: Any, turns: Sequence[Message]) -> tuple[list[int], int]:
    """The tokens of a whole conversation, and where its last turn, the answer, begins.

    What a template writes after the end mark (often a newline) is cut off: the model is never
    asked for it. A template that writes no end mark gets one, or a model taught with it would not
    learn to stop.
    """
    ends = set(tokenizer.eos_token_ids)
    prompt = apply(tokenizer, turns[:-1])
    whole = apply(tokenizer, turns, add_generation_prompt=False)
    # The two differ before the prompt's end only where the tokenizer joins the answer's first
    # characters to the prompt's last ones; the answer then begins where they part.
    start = 0
    while start < min(len(prompt), len(whole)) and prompt[start] == whole[start]:
        start += 1
    last = next((i for i in range(len(whole) - 1, start - 1, -1) if whole[i] in ends), None)
    tokens = whole[: last + 1] if last is not None else [*whole, min(ends)]
    return tokens, max(start, 1)


def ensure_bos(tokenizer: Any) -> bool:
    """Let the template begin with BOS, if the tokenizer begins plain text with it.

    Returns:
        True when the template was changed; false when it writes BOS already, or none is wanted.
    """
    bos, template = tokenizer.bos_token_id, _template(tokenizer)
    if bos is None or not isinstance(template, str) or tokenizer.encode("α")[:1] != [bos]:
        return False
    try:
        said = apply(tokenizer, [{"role": "user", "content": "α"}])
    except UserError:  # whoever asks this model will be told
        return False
    if said[:1] == [bos]:
        return False
    tokenizer.chat_template = _WRITE_BOS + template
    return True


def has_template(tokenizer: Any) -> bool:
    """Whether the model was made for conversations."""
    return bool(_template(tokenizer) or getattr(tokenizer, "has_chat_template", False))


def _template(tokenizer: Any) -> Any:
    return getattr(tokenizer, "chat_template", None)
