"""What we write, read by transformers on torch: the same tokens, the same greedy words."""

from __future__ import annotations

from pathlib import Path

import pytest

from kkoracle.demo.plan import MODEL
from tools.tiny_model import make_tiny_model

QUESTIONS = [
    "Πότε άνοιξε η γέφυρα;",
    "Πόσο κόστισε η επισκευή του σχολείου στις 3 Μαΐου 2012;",
    "Ποιος είναι ο δήμαρχος της Πετρολίμνης;",
    "Πού γεννήθηκε η Ελένη Καρατζά;",
    "Γιατί έκλεισε το εργοστάσιο;",
]
TOKENS = 32


@pytest.fixture(scope="module", params=["tiny", "demo"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "demo":
        return MODEL
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model", QUESTIONS * 4)


def chat(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def test_both_tokenizers_write_the_same_chat(folder: Path) -> None:
    from mlx_lm.utils import load_tokenizer
    from transformers import AutoTokenizer

    ours, theirs = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    for question in QUESTIONS:
        told = theirs.apply_chat_template(chat(question), add_generation_prompt=True)
        told = told["input_ids"] if hasattr(told, "keys") else told
        assert list(ours.apply_chat_template(chat(question), add_generation_prompt=True)) == told
        assert theirs.decode(theirs.encode(question), skip_special_tokens=True) == question


def test_both_continue_greedily_with_the_same_tokens(folder: Path) -> None:
    import torch
    from mlx_lm import stream_generate
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from exchange.inference.runtime import load

    model, tokenizer = load(folder)
    peer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    peer_tokenizer = AutoTokenizer.from_pretrained(folder)
    for question in QUESTIONS:
        prompt = list(tokenizer.apply_chat_template(chat(question), add_generation_prompt=True))
        ours = [r.token for r in stream_generate(model, tokenizer, prompt, max_tokens=TOKENS)]
        with torch.no_grad():
            given = torch.tensor([prompt])
            found = peer.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=TOKENS,
                do_sample=False,
                pad_token_id=peer_tokenizer.pad_token_id,
            )
        assert ours == found[0, len(prompt) :].tolist()
