"""What llama.cpp and Ollama need of a tokenizer: scores of its pieces, marks around its turns."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import UserError
from exchange.inference import runtime
from exchange.inference.engine import Message
from kkoracle.demo.plan import MODEL
from tests.conftest import SENTENCES
from tools.tiny_model import CHAT_TEMPLATE
from trainer.publish import ollama, tokenizer
from trainer.publish.ollama import TemplateMarks
from trainer.publish.tokenizer import copy_tokenizer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED: list[Message] = [
    {"role": "system", "content": 'Είσαι το "αρχείο".'},
    {"role": "user", "content": "Πότε άνοιξε;"},
    {"role": "assistant", "content": "Στις 3 Μάη."},
    {"role": "user", "content": "Και {{ .Prompt }};"},
]


class Words:
    """A tokenizer as far as its template goes."""

    def __init__(self, template: str, bos: str | None = "<s>") -> None:
        self.template = template
        self.bos_token = bos

    def apply_chat_template(self, messages: list[Message], **options: Any) -> str:
        from jinja2 import Environment

        def refuse(why: str) -> None:
            raise ValueError(why)

        environment = Environment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = refuse
        return environment.from_string(self.template).render(
            messages=messages,
            add_generation_prompt=options["add_generation_prompt"],
            bos_token=self.bos_token,
            eos_token="</s>",
        )


def as_ollama_does(template: str, messages: list[Message]) -> str:
    """What Ollama makes of a template without .Messages: once for each turn, the last cut short."""
    said, system, asked = "", "", None
    for turn in [*messages, None]:
        if turn and turn["role"] == "system":
            system = turn["content"]
            continue
        if turn and turn["role"] == "user":
            asked = turn["content"]
            continue
        answer = turn["content"] if turn else None
        if asked is None:
            continue
        chosen = re.fullmatch(
            r"\{\{ if \.System \}\}(.*)\{\{ else \}\}(.*?)\{\{ end \}\}(.*)", template, re.S
        )
        text = template
        if chosen:
            text = (chosen[1] if system else chosen[2]) + chosen[3]
        if answer is None:
            text = text.partition("{{ .Response }}")[0]
        values = {".System": system, ".Prompt": asked, ".Response": answer or "", '"{{"': "{{"}
        parts = re.split(r"\{\{ (.*?) \}\}", text)
        said += "".join(values[part] if at % 2 else part for at, part in enumerate(parts))
        system, asked = "", None
    return said


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, CHATML])
def test_ollama_s_template_writes_conversations_as_the_model_s_own(template: str) -> None:
    words = Words(template)
    marks = ollama.find_template_marks(words)
    for conversation in (ASKED, ASKED[1:], ASKED[1:2]):
        wanted = words.apply_chat_template(conversation, add_generation_prompt=True)
        assert as_ollama_does(ollama.ollama_template(marks), conversation) == wanted.removeprefix(
            "<s>"
        )


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[-1]['content'] }}",  # forgets what went before
        "{% if messages | length > 1 %}Συνέχεια: {% endif %}" + CHATML,
        "{{ raise_exception('no') }}",
    ],
)
def test_a_template_that_is_more_than_marks_is_refused(template: str) -> None:
    with pytest.raises(UserError, match="cannot be written as Ollama's"):
        ollama.find_template_marks(Words(template))


def test_a_template_without_system_messages_still_works() -> None:
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    marks = ollama.find_template_marks(Words(refusing + CHATML))
    assert marks.system is None and "System" not in ollama.ollama_template(marks)


def test_a_modelfile_says_template_stops_and_persona() -> None:
    marks = TemplateMarks("[INST]", ("[INST]", "\n"), "[/INST]", "</s>")
    said = ollama.modelfile(
        "./a.gguf", marks, ["</s>"], system="Είσαι το αρχείο.", context=2048, comment=["kkOracle"]
    )
    assert said.splitlines()[:2] == ["# kkOracle", "FROM ./a.gguf"]
    assert 'SYSTEM """Είσαι το αρχείο."""' in said and 'PARAMETER stop """</s>"""' in said
    assert "PARAMETER num_ctx 2048" in said and "{{ .Prompt }}[/INST]{{ .Response }}" in said
    with pytest.raises(UserError, match="quotes"):
        ollama.modelfile("./a.gguf", None, [], system='ends in "quotes"')


def test_literal_braces_in_a_template_stay_braces() -> None:
    marks = TemplateMarks("{{user}} ", None, "{{bot}} ", "\n")
    said = as_ollama_does(ollama.ollama_template(marks), [{"role": "user", "content": "α"}])
    assert said == "{{user}} α{{bot}} "


# -- scores ----------------------------------------------------------------------------------


def test_a_rebuilt_tokenizer_model_cuts_words_as_the_tokenizer_does(
    tiny_model: Path, tmp_path: Path
) -> None:
    from sentencepiece import SentencePieceProcessor

    copy_tokenizer(tiny_model, tmp_path)
    model = (tmp_path / "tokenizer.model").read_bytes()
    words = runtime.tokenizer(tiny_model)
    texts = [*SENTENCES, "Άγνωστες λέξεις, 1998, και\nνέες γραμμές; €", "α", "  δυο  κενά "]
    assert tokenizer.tokenization_agreement(model, words, texts) == 1.0
    pieces = SentencePieceProcessor(model_proto=model)
    assert (pieces.bos_id(), pieces.eos_id(), pieces.unk_id()) == (1, 2, 0)
    assert pieces.IsByte(pieces.PieceToId("<0x41>"))
    assert len({pieces.GetScore(number) for number in range(pieces.GetPieceSize())}) > 100


def test_equal_scores_would_cut_words_otherwise(tmp_path: Path) -> None:
    """What llama.cpp's converter writes where it finds no tokenizer.model."""
    from sentencepiece import sentencepiece_model_pb2 as proto

    copy_tokenizer(MODEL, tmp_path)
    right = (tmp_path / "tokenizer.model").read_bytes()
    made = proto.ModelProto.FromString(right)
    for piece in made.pieces:
        piece.score = -1000.0
    words = runtime.tokenizer(MODEL)
    assert tokenizer.tokenization_agreement(right, words, SENTENCES) == 1.0
    assert tokenizer.tokenization_agreement(made.SerializeToString(), words, SENTENCES) < 1.0


def test_a_tokenizer_of_another_kind_is_left_to_its_merges() -> None:
    assert tokenizer.rebuild_model({"model": {"type": "BPE", "vocab": {}, "merges": []}}) is None
    assert tokenizer.rebuild_model({"model": {"type": "WordPiece", "vocab": {}}}) is None
    holes = {"type": "BPE", "byte_fallback": True, "unk_token": "a", "vocab": {"a": 0, "b": 7}}
    blanks = {"type": "Replace", "content": "▁"}
    assert tokenizer.rebuild_model({"model": holes, "normalizer": blanks}) is None


def test_the_base_s_own_files_are_copied_with_bos_in_the_template(
    tiny_model: Path, tmp_path: Path
) -> None:
    base, folder = tmp_path / "base", tmp_path / "folder"
    folder.mkdir()
    base.mkdir()
    for path in tiny_model.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    config = json.loads((base / "tokenizer_config.json").read_text())
    config["chat_template"] = config["chat_template"].removeprefix("{{ bos_token }}")
    config["tokenizer_class"] = "TokenizersBackend"  # what transformers 4 does not know
    config["extra_special_tokens"] = ["[INST]", "[/INST]"]  # nor lists under this name
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    copy_tokenizer(base, folder)
    written = json.loads((folder / "tokenizer_config.json").read_text())
    assert written["chat_template"].startswith("{{ bos_token }}")
    assert written["chat_template"] == (folder / "chat_template.jinja").read_text()
    assert written["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "extra_special_tokens" not in written
    assert written["additional_special_tokens"] == ["[INST]", "[/INST]"]
    assert (folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
