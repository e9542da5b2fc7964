"""Models that think first: off in prompts and rows, and a block of thought is never an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from mlx_lm.tokenizer_utils import TokenizerWrapper
from tokenizers import AddedToken
from transformers import AutoTokenizer

from exchange.inference import chat_template, openai_replies
from exchange.inference.detokenizer import TextStream, cut_thought
from exchange.inference.engine import SamplingParams, TextPiece
from exchange.inference.mlx.batch import BatchRow
from exchange.inference.mlx.scheduler import MlxRequest

MARKS = ("<think>", "</think>")
ASKED = [{"role": "user", "content": "Πότε άνοιξε η γέφυρα;"}]
ANSWER = "Στις 3 Μάη 2012."
TURN = "{{ '[INST]' + m['content'] + '[/INST]' if m['role'] == 'user' else "
# Its switch closes the block in a prompt; before an answer it puts an empty block either way.
QWEN = (
    "{% for m in messages %}" + TURN + "'<think>\n\n</think>\n\n' + m['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt and enable_thinking is defined and not "
    "enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
# Its history has no block, its prompt has.
SMOLLM = (
    "{% for m in messages %}" + TURN + "m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt and not enable_thinking %}{{ '<think>\n\n</think>\n' }}{% endif %}"
)
# No switch at all: it opens the block for the model.
DEEPSEEK = (
    "{% for m in messages %}" + TURN + "m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}"
)
GRANITE = (
    "{% for m in messages %}" + TURN + "m['content'] + eos_token }}{% endfor %}"
    "{% if thinking %}{{ 'THINK' }}{% endif %}"
)
NO_SWITCH_EMPTY_BLOCK = (
    "{% for m in messages %}" + TURN + "'<think>\n\n</think>\n\n' + m['content'] + eos_token }}"
    "{% endfor %}"
)
TEMPLATES = {
    "qwen": QWEN,
    "smollm": SMOLLM,
    "deepseek": DEEPSEEK,
    "granite": GRANITE,
    "an empty block before answers alone": NO_SWITCH_EMPTY_BLOCK,
}


def thinking(tiny_model: Path, template: str) -> TokenizerWrapper:
    fast = AutoTokenizer.from_pretrained(str(tiny_model))
    fast.add_tokens([AddedToken(mark, normalized=False, special=False) for mark in MARKS])
    fast.chat_template = template
    return TokenizerWrapper(fast)


@pytest.fixture(params=TEMPLATES)
def tokenizer(request: pytest.FixtureRequest, tiny_model: Path) -> TokenizerWrapper:
    return thinking(tiny_model, TEMPLATES[request.param])


def test_a_prompt_leaves_no_thought_to_be_thought(tokenizer: Any) -> None:
    text = tokenizer.decode(chat_template.apply(tokenizer, ASKED))
    assert text.count("<think>") == text.count("</think>") and "THINK" not in text


def test_a_row_teaches_the_answer_right_behind_the_prompt_that_will_be_asked(
    tokenizer: Any,
) -> None:
    prompt = chat_template.apply(tokenizer, ASKED)
    tokens, start = chat_template.encode_conversation(
        tokenizer, [*ASKED, {"role": "assistant", "content": ANSWER}]
    )
    assert tokens[:start] == prompt
    target = tokenizer.decode(tokens[start:])
    assert "think" not in target and target.strip() == ANSWER + "</s>"


@pytest.mark.parametrize(
    ("reply", "answer", "only_thought"),
    [
        ("Ναι.", "Ναι.", False),
        ("<think>\nI should say yes.\n</think>\n\nΝαι.", "Ναι.", False),
        ("\n<think></think>Ναι.", "Ναι.", False),
        ("the prompt had opened it</think>\nΝαι.", "Ναι.", False),
        ("<think>and it never ends", "", True),
        ("<think>nothing follows</think>\n", "", True),
        ("<thin", "<thin", False),
        ("< 5 <think>", "< 5 <think>", False),
        ("", "", False),
    ],
)
def test_a_block_of_thought_is_cut(reply: str, answer: str, *, only_thought: bool) -> None:
    assert cut_thought(reply, MARKS) == (answer, only_thought)


def test_a_stream_holds_thought_back_and_sends_the_answer(tiny_model: Path) -> None:
    tokenizer = thinking(tiny_model, QWEN)
    pieces: list[TextPiece] = []
    stream = TextStream(tokenizer, SamplingParams(stop=("τέλος",)), pieces.append, MARKS)
    said = tokenizer.encode(
        "<think>\nτέλος της σκέψης\n</think>\n\nΝαι, άνοιξε.", add_special_tokens=False
    )
    for number, token in enumerate(said):
        stream.add(token, None, "length" if number == len(said) - 1 else None)
    assert "".join(piece.text for piece in pieces) == stream.text == "Ναι, άνοιξε."
    assert not stream.stop_string, "what stops an answer does not stop a thought"
    assert sum(piece.tokens for piece in pieces) == len(said), "but it was paid for"


def test_a_reply_that_was_all_thought_says_so(tiny_model: Path) -> None:
    tokenizer = thinking(tiny_model, QWEN)
    row = BatchRow(prompt=[1], max_tokens=8, seed=0)
    row.tokens = tokenizer.encode("<think>\nπρώτα θα δω", add_special_tokens=False)
    output = MlxRequest(1, row, None).output("length", tokenizer)
    assert (output.text, output.only_thought) == ("", True)


@pytest.mark.parametrize(
    ("message", "text", "only_thought"),
    [
        ({"content": None, "reasoning_content": "hm"}, "", True),
        ({"content": "", "reasoning": "hm"}, "", True),
        ({"content": "<think>hm", "reasoning_content": None}, "", True),
        ({"content": "<think>hm</think>Ναι."}, "Ναι.", False),
        ({"content": "Ναι.", "reasoning_content": "hm"}, "Ναι.", False),
        ({"content": None}, "", False),
    ],
)
def test_an_endpoints_thought_is_no_answer(
    message: dict[str, Any], text: str, *, only_thought: bool
) -> None:
    body = orjson.dumps({"choices": [{"message": message, "finish_reason": "length"}]})
    found = openai_replies.parse(body)
    assert (found.text, found.only_thought) == (text, only_thought)
