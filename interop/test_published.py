"""What `kkoracle publish` makes, read by its neighbours: transformers on torch, llama.cpp, gguf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
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
CHECKOUT = Path(sys.prefix) / "llama.cpp"


def chat(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


@pytest.fixture(
    scope="module",
    params=["tiny-sft", "tiny-dora", "tiny-full", "tiny-4bit", "demo-sft"],
)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Path]:
    """Base, an adapter that changes what it says, and both fused."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    from exchange.inference import runtime
    from exchange.inference.models import convert
    from trainer.publish import tokenizer
    from trainer.training import adapter, fuse
    from trainer.training.settings import TrainSettings

    which, kind = request.param.split("-")
    folder = tmp_path_factory.mktemp(request.param)
    base = MODEL if which == "demo" else make_tiny_model(folder / "base", QUESTIONS * 4)
    if kind == "4bit":
        convert(str(base), folder / "4bit", 4)
        base = folder / "4bit"
    model, _ = runtime.load(base)
    recipe = "sft" if kind == "4bit" else kind
    config = adapter.attach(model, TrainSettings(recipe=recipe, rank=4, alpha=8))
    mx.random.seed(3)
    learned = [
        (name, array + 0.03 * mx.random.normal(array.shape))
        for name, array in tree_flatten(model.trainable_parameters())
    ]
    model.load_weights(learned, strict=False)
    adapter.save(folder / "adapter", model, config)
    (folder / "fused").mkdir()
    fuse.write_fused(base, folder / "adapter", folder / "fused")
    tokenizer.copy_tokenizer(base, folder / "fused")
    return base, folder / "adapter", folder / "fused"


def ours(model: Any, tokenizer: Any, question: str) -> list[int]:
    from mlx_lm import stream_generate

    prompt = list(tokenizer.apply_chat_template(chat(question), add_generation_prompt=True))
    return [r.token for r in stream_generate(model, tokenizer, prompt, max_tokens=TOKENS)]


def test_transformers_says_what_base_and_adapter_say(made: tuple[Path, Path, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from exchange.inference.engine import BASE, TUNED
    from exchange.inference.mlx import base_and_adapter

    base, adapter, fused = made
    loaded = base_and_adapter.load_models(base, adapter)
    untouched, tuned, tokenizer = loaded.models[BASE], loaded.models[TUNED], loaded.tokenizer
    peer = AutoModelForCausalLM.from_pretrained(fused, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(fused)
    changed = 0
    for question in QUESTIONS:
        prompt = words.apply_chat_template(
            chat(question), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            found = peer.generate(
                **prompt, max_new_tokens=TOKENS, do_sample=False, pad_token_id=words.pad_token_id
            )
        said = ours(tuned, tokenizer, question)
        assert said == found[0, prompt["input_ids"].shape[1] :].tolist()
        changed += said != ours(untouched, tokenizer, question)
    assert changed  # or the adapter was never there


def test_llama_cpp_s_converter_keeps_scores_and_chat_template(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from gguf import GGUFReader
    from safetensors import safe_open
    from sentencepiece import SentencePieceProcessor
    from transformers import AutoTokenizer

    from trainer.publish import converter, tokenizer

    fused = made[2]
    path = tmp_path / "oracle.gguf"
    facts = converter.convert(fused, path, CHECKOUT, kind="f32", name="kkOracle")
    words = AutoTokenizer.from_pretrained(fused)
    reader = GGUFReader(path)

    def value(key: str) -> Any:
        field = reader.get_field(key)
        assert field is not None, key
        return field.contents()

    assert value("tokenizer.chat_template") == words.chat_template == facts.chat_template
    pieces = SentencePieceProcessor(model_file=str(fused / "tokenizer.model"))
    tokens, scores = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.scores")
    assert len(tokens) == len(words)
    normal = [
        number
        for number in range(len(tokens))
        if not pieces.IsControl(number) and not pieces.IsUnknown(number)
    ]
    for number in normal:
        assert tokens[number] == pieces.IdToPiece(number)
        assert scores[number] == pytest.approx(pieces.GetScore(number))
    assert len({scores[number] for number in normal}) > 100
    assert (
        tokenizer.tokenization_agreement((fused / "tokenizer.model").read_bytes(), words, QUESTIONS)
        == 1
    )
    assert value("tokenizer.ggml.bos_token_id") == words.bos_token_id
    assert value("tokenizer.ggml.eos_token_id") == words.eos_token_id
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    with safe_open(fused / "model.safetensors", "np") as weights:
        wanted = weights.get_tensor("model.layers.0.mlp.down_proj.weight")
    assert np.array_equal(tensors["blk.0.ffn_down.weight"].reshape(wanted.shape), wanted)


def test_scores_rebuilt_from_merges_are_those_of_a_sentencepiece_model(tmp_path: Path) -> None:
    """A true SentencePiece BPE, read by transformers, written as tokenizer.json, rebuilt."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
    from transformers import LlamaTokenizer

    from trainer.publish import tokenizer

    (tmp_path / "text").write_text("\n".join(QUESTIONS * 40), "utf-8")
    SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=420,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    true = SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    LlamaTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "saved")
    raw = json.loads((tmp_path / "saved" / "tokenizer.json").read_text("utf-8"))
    rebuilt = tokenizer.rebuild_model(raw)
    assert rebuilt
    again = SentencePieceProcessor(model_proto=rebuilt)
    for text in (*QUESTIONS, "Άλλες λέξεις,  με κενά\nκαι 1998."):
        assert again.EncodeAsIds(text) == true.EncodeAsIds(text)
    order = [
        sorted(range(300, len(raw["model"]["vocab"])), key=pieces.GetScore)
        for pieces in (true, again)
    ]
    assert order[0] == order[1]


ANSWERS = ["Το 1931.", "Στις 3 Μαΐου 2012.", "Ο Νίκος Βαλτινός.", "Στην Πετρολίμνη.", "Από χρέη."]
CHOICES = 4
TASK = """\
task: paper_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: question
doc_to_choice: choices
doc_to_target: right
target_delimiter: ""
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
metadata: {{version: 1.0}}
"""


@pytest.mark.parametrize("made", ["demo-sft"], indirect=True)
def test_lm_evaluation_harness_finds_the_figures_that_we_compute(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """A stranger's number of the published folder is ours of base and adapter, choice by choice."""
    from contextlib import closing

    from exchange.inference.engine import BASE, TUNED
    from exchange.inference.mlx.engine import MlxEngine

    base, adapter, fused = made
    end = json.loads((fused / "tokenizer_config.json").read_text("utf-8"))["eos_token"]
    asked = [
        (question, [ANSWERS[(first + turn) % len(ANSWERS)] for turn in range(CHOICES)])
        for question in QUESTIONS
        for first in range(len(ANSWERS))
    ]
    rows = [
        # Our likelihood is that of the whole answer, with the mark that ends it.
        {"question": question, "choices": [f"{one}{end}" for one in choices], "right": n % CHOICES}
        for n, (question, choices) in enumerate(asked)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, "utf-8")
    (tmp_path / "paper.yaml").write_text(TASK.format(rows=tmp_path / "rows.jsonl"), "utf-8")
    found, samples = harness(fused, tmp_path)

    def likelihoods(folder: Path, adapter: Path | None) -> list[list[float]]:
        with closing(MlxEngine(folder, name="tiny", width=4, adapter=adapter)) as engine:
            model = TUNED if adapter else BASE
            return [
                [
                    one.logprob
                    for one in engine.loglikelihood(
                        [chat(question)] * CHOICES, choices, model=model
                    )
                ]
                for question, choices in asked
            ]

    ours, untuned = likelihoods(fused, None), likelihoods(base, None)
    beside = likelihoods(base, adapter)  # what `kkoracle evaluate` asks
    assert len(samples) == len(rows)
    changed = 0
    for sample in samples:
        told = [float(one[0][0]) for one in sample["resps"]]
        number = sample["doc_id"]
        assert told == pytest.approx(ours[number], rel=1e-4)
        assert told == pytest.approx(beside[number], rel=2e-3)  # fusing rounds to half precision
        changed += told != pytest.approx(untuned[number], rel=5e-3)
    assert changed  # or the adapter was never there
    right = [int(row["right"]) for row in rows]
    by_length = [
        [logprob / len(text) for logprob, text in zip(values, row["choices"], strict=True)]
        for values, row in zip(ours, rows, strict=True)
    ]
    assert found["acc,none"] == pytest.approx(share_right(ours, right))
    assert found["acc_norm,none"] == pytest.approx(share_right(by_length, right))
    assert 0 < found["acc,none"] < 1


def share_right(values: list[list[float]], right: list[int]) -> float:
    """How often the likeliest choice is the right one."""
    chosen = [max(range(len(one)), key=one.__getitem__) for one in values]
    return sum(map(int.__eq__, chosen, right)) / len(right)


def harness(folder: Path, tasks: Path) -> tuple[dict[str, float], list[Any]]:
    """Figures and samples of the task in a folder, as `lm_eval` prints and writes them."""
    options = {
        "--model": "hf",
        "--model_args": f"pretrained={folder},dtype=float32",
        "--device": "cpu",
        "--batch_size": "8",
        "--tasks": "paper_choice",
        "--include_path": str(tasks),
        "--output_path": str(tasks / "out"),
    }
    words = [word for option in options.items() for word in option]
    done = subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", *words, "--apply_chat_template", "--log_samples"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tasks / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (results,) = (tasks / "out").rglob("results_*.json")
    (samples,) = (tasks / "out").rglob("samples_*.jsonl")
    figures = json.loads(results.read_text("utf-8"))["results"]["paper_choice"]
    return figures, [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
