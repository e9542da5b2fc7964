"""The rows on which the training loop is measured are what the figures say they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bench.train import workload


def test_rows_have_the_lengths_of_questions_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload, "SIZES", {**workload.SIZES, "hidden": 24, "layers": 1})
    made = workload.make(tmp_path, 203)
    assert workload.TrainWorkload.read(tmp_path) == made
    tokenizer = Tokenizer.from_file(str(made.model / "tokenizer.json"))
    asked, answered = [], []
    for question, answer in made.turns():
        # As the chat template lays them: BOS (which counts in both), two tags, and EOS.
        asked.append(len(tokenizer.encode(question["content"]).ids) + 2)
        answered.append(len(tokenizer.encode(answer["content"]).ids))
    lengths = [one + other for one, other in zip(asked, answered, strict=True)]
    assert min(lengths) >= 55 and max(lengths) <= 260
    assert sum(lengths) / len(lengths) == pytest.approx(130, abs=8)
    assert sum(asked) / sum(lengths) == pytest.approx(1 / 3, abs=0.03)
