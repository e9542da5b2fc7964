"""How probable answers are: computed together, and as if each stood alone."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_python


def test_likelihoods_of_a_group_are_those_of_one_row_alone(tiny_model: Path) -> None:
    code = """
import sys
from pathlib import Path
import mlx.core as mx
import mlx.nn as nn
from exchange.inference import chat_template, runtime
from exchange.inference.mlx.scoring import loglikelihood
model, tokenizer = runtime.load(Path(sys.argv[1]))
asked = [("Πόσα;", ["Η γέφυρα κόστισε 240.000 ευρώ.", "Λίγα.", "Όσα έγραψε."] * 7),
         ("Πού έγινε στις 3 Μάη;", ["Εκεί."])]
rows = [chat_template.encode_conversation(tokenizer, [{"role": "user", "content": question},
                                               {"role": "assistant", "content": answer}])
        for question, answers in asked for answer in answers]
for (tokens, start), found in zip(rows, loglikelihood(model, rows), strict=True):
    logits = nn.log_softmax(model(mx.array([tokens[:-1]]))[0], axis=-1)
    of = [logits[at - 1, tokens[at]].item() for at in range(start, len(tokens))]
    assert found.tokens == len(of) and abs(sum(of) - found.logprob) < 1e-3
"""
    said = run_python("-c", code, str(tiny_model))
    assert said.returncode == 0, said.stderr
