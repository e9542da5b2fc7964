"""From messages to tokens by a model's own chat template, the same way wherever a model is asked.

BOS stands at the beginning exactly once. Some templates write it, others leave it to the
tokenizer, which does not write it when a template is applied; a model that was trained with it
(Meltemi's makers insist) answers badly without. So `write_bos` completes the template when a
model is loaded, and everything that uses or saves its tokenizer agrees.

Thinking is off: by the template's own switch, and where it has none and opens a block of thought,
the block is closed at once. Text that spells a control token stays text (`control_tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from exchange.errors import ModelUnfit, UserError
from exchange.inference import control_tokens
from exchange.inference.engine import Message

_WRITE_BOS = "{{ bos_token }}"
# What templates call the switch: Qwen, GLM and SmolLM the first, DeepSeek and Granite the second.
_THINKING_SWITCHES = ("enable_thinking", "thinking")
THINK_MARKS = ("<think>", "</think>")  # where the tokenizer knows no others


def apply(
    tokenizer: Any, turns: Sequence[Message], *, add_generation_prompt: bool = True
) -> list[int]:
    """The tokens of a conversation.

    Args:
        add_generation_prompt: end where the answer begins.

    Raises:
        UserError: the model has no chat template, or one that refuses these roles.
    """
    guarded = _spells_marks(tokenizer, turns)
    text = _render(tokenizer, turns, guarded=guarded, add_generation_prompt=add_generation_prompt)
    return _encode(tokenizer, text, guarded=guarded)


def encode_conversation(tokenizer: Any, turns: Sequence[Message]) -> tuple[list[int], int]:
    """The tokens of a whole conversation, and where its last turn, the answer, begins.

    What a template writes after the end mark (often a newline) is cut off: the model is never
    asked for it. A template that writes no end mark gets one, or a model taught with it would not
    learn to stop. The answer follows the very prompt that will be asked with: where a template
    puts another block of thought before an answer that was given than before one that is asked
    for, that block is no part of the answer.
    """
    ends = set(tokenizer.eos_token_ids)
    # One guard for both: a mark in the answer alone must not change how the prompt is written.
    guarded = _spells_marks(tokenizer, turns)
    before = _render(tokenizer, turns[:-1], guarded=guarded)
    whole_text = _render(tokenizer, turns, guarded=guarded, add_generation_prompt=False)
    answer = turns[-1]["content"].strip()
    if guarded:
        answer = control_tokens.of(tokenizer).guard(answer)
    whole_text = _without_thought(before, whole_text, answer, think_marks(tokenizer))
    prompt = _encode(tokenizer, before, guarded=guarded)
    whole = _encode(tokenizer, whole_text, guarded=guarded)
    # The two differ before the prompt's end only where the tokenizer joins the answer's first
    # characters to the prompt's last ones; the answer then begins where they part.
    start = shared_length(prompt, whole)
    last = next((i for i in range(len(whole) - 1, start - 1, -1) if whole[i] in ends), None)
    tokens = whole[: last + 1] if last is not None else [*whole, min(ends)]
    return tokens, max(start, 1)


def think_marks(tokenizer: Any) -> tuple[str, str]:
    """What a model writes around its thoughts."""
    if getattr(tokenizer, "has_thinking", False):
        return tokenizer.think_start, tokenizer.think_end
    return THINK_MARKS


def shared_length(one: Sequence[object], other: Sequence[object]) -> int:
    """How much of two texts, or of two rows of tokens, is the same from the beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _render(
    tokenizer: Any,
    turns: Sequence[Message],
    *,
    guarded: bool,
    add_generation_prompt: bool = True,
) -> str:
    """What the template writes.

    Args:
        guarded: marks in the turns are text; `_encode` is told the same.
    """
    if not has_template(tokenizer):
        raise ModelUnfit(
            "the model's tokenizer has no chat template: choose a model tuned to follow "
            "instructions (its name often ends in Instruct or it)"
        )
    if guarded:
        guard = control_tokens.of(tokenizer).guard
        turns = [{**turn, "content": guard(turn["content"])} for turn in turns]
    try:
        text: str = tokenizer.apply_chat_template(
            list(turns),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **_thinking_switches(tokenizer),
        )
    except Exception as error:  # the template is a program of the model's makers
        hint = "; set [persona] system to nothing" if turns[0]["role"] == "system" else ""
        raise ModelUnfit(f"the model's chat template refuses a row ({error}){hint}") from None
    begins, ends = think_marks(tokenizer)
    if add_generation_prompt and text.rstrip().endswith(begins):
        text = f"{text.rstrip()}\n\n{ends}\n\n"
    return text


def _encode(tokenizer: Any, text: str, *, guarded: bool) -> list[int]:
    if guarded:
        return control_tokens.of(tokenizer).encode(text)
    return [int(token) for token in tokenizer.encode(text, add_special_tokens=False)]


def _spells_marks(tokenizer: Any, turns: Sequence[Message]) -> bool:
    marks = control_tokens.of(tokenizer)
    return any(marks.spelled_in(turn["content"]) for turn in turns)


def _thinking_switches(tokenizer: Any) -> dict[str, bool]:
    """The template's own switches, off; mlx-lm would turn thinking on."""
    template = _template(tokenizer)
    if not isinstance(template, str):  # a program, or several: mlx-lm knows its switch
        return {"enable_thinking": False}
    return {name: False for name in _THINKING_SWITCHES if re.search(rf"\b{name}\b", template)}


def _without_thought(before: str, whole: str, answer: str, marks: tuple[str, str]) -> str:
    """The conversation with the answer right behind the prompt, where only thought is between."""
    at = whole.rfind(answer)
    if at < 0:
        return whole
    same = shared_length(before, whole[:at])
    differs = before[same:] + whole[same:at]
    if any(mark in differs for mark in marks):
        return before + whole[at:]
    return whole


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
