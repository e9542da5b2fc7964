"""The data choose the scorer; it is read back as it was; what knows nothing says so."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.inference.encoder import SentenceEncoder
from tests.conftest import run_cli
from trainer.scorer.candidates.embeddings import RememberedEmbedder
from trainer.scorer.candidates.regression import RegressionCandidate
from trainer.scorer.items import ScoreItem, scale_of
from trainer.scorer.left_out import fold_numbers
from trainer.scorer.selection import select

FACTS = (
    "warm air rises",
    "cold water sinks",
    "salt melts ice",
    "iron rusts",
    "wood burns",
    "glass breaks",
    "wind turns mills",
    "rain fills rivers",
)
ELSE = ("my dog sleeps", "trains run late", "the door is blue", "I like bread", "nobody told me")


def answers(count: int, seed: int = 1, maximum: float = 4) -> list[ScoreItem]:
    """Four statements each, as many points as are of the guide; the marker errs now and then."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        guide = random.Random(number % 25).sample(FACTS, 4)
        right = rng.randint(0, 4)
        said = [*rng.sample(guide, right), *rng.sample(ELSE, 4 - right)]
        rng.shuffle(said)
        mark = min(4, max(0, right + (rng.random() < 0.2) * rng.choice((-1, 1))))
        found.append(
            ScoreItem(
                str(number),
                f"Question {number % 25}?",
                ", ".join(guide),
                ", ".join(said),
                scale_of(maximum, [maximum / 4]),
                mark / 4 * maximum,
                "en",
            )
        )
    return found


def test_a_class_is_learned_in_a_second_and_read_back_as_it_was(tmp_path: Path) -> None:
    chosen = select(answers(160), 0.6)
    assert chosen.knows and chosen.gain.low > 0
    assert [trial.figures is not None for trial in chosen.trials] == [True] * 3
    assert chosen.trials[0].name == chosen.name
    assert {trial.name for trial in chosen.baselines} >= {"length alone", "mean of the question"}
    new = answers(60, seed=2)
    said = chosen.candidate.predict(new)
    right = sum(one.level == item.level for one, item in zip(said, new, strict=True))
    assert right > 36
    for one in said:
        assert sum(one.probabilities) == pytest.approx(1)
        assert one.confidence == one.probabilities[one.level]
    chosen.candidate.write(tmp_path)
    assert RegressionCandidate.read(tmp_path, None).predict(new) == said
    assert not list(tmp_path.glob("*.pkl"))


@pytest.mark.parametrize("maximum", [1, 12, 20])
def test_the_mark_shown_is_one_that_was_given(maximum: float) -> None:
    chosen = select(answers(120, maximum=maximum), 0.6)
    scale = scale_of(maximum, [maximum / 4])
    given = {quarter / 4 * maximum for quarter in range(5)}
    shown = {scale.score(one.level) for one in chosen.candidate.predict(answers(60, 2, maximum))}
    assert shown <= given and len(shown) >= 4


@pytest.mark.parametrize("seed", range(2))
def test_shuffled_marks_teach_nothing_and_marks_by_length_no_more_than_length(seed: int) -> None:
    rows = answers(120)
    marks = [row.score for row in rows]
    random.Random(seed).shuffle(marks)
    nothing = select([replace(r, score=m) for r, m in zip(rows, marks, strict=True)], 0.6)
    assert not nothing.knows and nothing.threshold > 1
    longest = sorted(rows, key=lambda row: len(row.answer))
    by_length = [replace(row, score=float(n * 5 // 120)) for n, row in enumerate(longest)]
    assert not select(by_length, 0.6).knows


def test_a_question_stands_in_one_fold_and_a_few_questions_are_left_out_by_answer() -> None:
    rows = answers(100)
    folds = fold_numbers(rows, "k")
    assert len({(row.group, fold) for row, fold in zip(rows, folds, strict=True)}) == 25
    assert len(set(folds)) == 10
    few = [row for row in rows if row.question in ("Question 1?", "Question 2?")]
    assert len(set(fold_numbers(few, "k"))) == len(few)


def tiny_encoder(folder: Path) -> Path:
    """A BERT of two layers with random weights, a token a word."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir()
    words = sorted({word for text in (*FACTS, *ELSE) for word in text.lower().split()})
    known = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    size, inner, rng = 16, 32, np.random.default_rng(1)
    weights = {
        "embeddings.word_embeddings.weight": rng.normal(size=(len(known), size)),
        "embeddings.position_embeddings.weight": rng.normal(size=(64, size)) * 0.1,
        "embeddings.token_type_embeddings.weight": np.zeros((2, size)),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(2):
        at = f"encoder.layer.{number}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
            weights[f"{at}{name}.weight"] = rng.normal(size=(size, size)) / 4
        weights[f"{at}attention.output.dense.weight"] = rng.normal(size=(size, size)) / 4
        weights[f"{at}intermediate.dense.weight"] = rng.normal(size=(inner, size)) / 4
        weights[f"{at}output.dense.weight"] = rng.normal(size=(size, inner)) / 6
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
    for name in [name for name in weights if "dense" in name or "self" in name]:
        weights[name.replace(".weight", ".bias")] = np.zeros(len(weights[name]))
    for name in norms:
        weights |= {f"{name}.weight": np.ones(size), f"{name}.bias": np.zeros(size)}
    save_file({k: v.astype(np.float32) for k, v in weights.items()}, folder / "model.safetensors")
    config = {"model_type": "bert", "hidden_size": size, "num_attention_heads": 2}
    config |= {"num_hidden_layers": 2, "max_position_embeddings": 64, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def test_vectors_do_not_depend_on_what_is_computed_beside_them(tmp_path: Path) -> None:
    encoder = SentenceEncoder(tiny_encoder(tmp_path / "encoder"))
    together = encoder.embed(["iron rusts", "warm air rises and my dog sleeps", "iron rusts"])
    alone = encoder.embed(["iron rusts"])
    assert together[0] == pytest.approx(alone[0], abs=1e-5)
    assert together[0] == pytest.approx(together[2], abs=1e-5)
    assert (together**2).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    config = tmp_path / "encoder" / "config.json"
    said = json.loads(config.read_text("utf-8")) | {"model_type": "roberta"}
    del said["max_position_embeddings"]  # a config need not say how long a text may be
    config.write_text(json.dumps(said), "utf-8")
    assert SentenceEncoder(config.parent).embed(["iron rusts"]).shape == alone.shape
    embedder = RememberedEmbedder(encoder)
    chosen = select(answers(100), 0.6, embedder=embedder)
    assert len(chosen.trials) == 8 and chosen.knows
    chosen.candidate.write(tmp_path / "kept")
    read = RegressionCandidate.read(tmp_path / "kept", embedder)
    new = answers(20, seed=3)
    assert read.predict(new) == chosen.candidate.predict(new)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_cli("--data", "data", "score", *arguments, cwd=folder)


def test_without_a_model_a_file_becomes_a_scorer_and_one_at_chance_exits_1(tmp_path: Path) -> None:
    rows = [
        {"question": i.question, "guide": i.guide, "answer": i.answer, "score": i.score, "max": 4}
        for i in answers(200)
    ]
    (tmp_path / "class.json").write_text(json.dumps(rows), "utf-8")
    done = command(tmp_path, "train", "class.json", "--language", "en")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clearly better than length" in done.stdout and "decoder" in done.stdout
    assert "unseen" in command(tmp_path, "eval").stdout
    assert "finished already" in command(tmp_path, "train", "class.json", "--language", "en").stdout
    marks = [row["score"] for row in rows]
    random.Random(3).shuffle(marks)
    shuffled = [{**row, "score": mark} for row, mark in zip(rows, marks, strict=True)]
    (tmp_path / "chance.json").write_text(json.dumps(shuffled), "utf-8")
    done = command(tmp_path, "train", "chance.json", "--language", "en", "--name", "chance")
    assert done.returncode == 1
    assert "this scorer knows nothing that the length does not" in done.stdout
