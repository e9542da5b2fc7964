"""Base and tuned side by side, from one copy of the weights."""

from __future__ import annotations

import json
from typing import Any

from tests.trainer.conftest import RECIPE, Desk
from trainer.dataset import read_split


def compared(desk: Desk) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((desk.run_folder() / "compare.json").read_text("utf-8"))
    return loaded


def test_the_tuned_model_knows_what_it_was_taught_and_the_base_does_not(trained: Desk) -> None:
    said = trained.cli("compare", "-n", "9").stdout
    found = compared(trained)
    taught, held_out = found["shares"]
    assert (taught["group"], held_out["group"]) == ("trained", "held out")
    assert taught["rows"] == 9
    assert taught["base_exact"] == 0.0
    assert taught["tuned_exact"] >= 0.8
    assert taught["tuned_loss"] < 0.5 < taught["base_loss"]
    assert held_out["tuned_exact"] <= taught["tuned_exact"]
    test = {row.question for row in read_split(trained.dataset, "test_unseen")}
    assert {row["question"] for row in found["rows"] if row["group"] == "held out"} <= test
    assert "0% -> " in said and "compare.md" in said
    assert "# Base and tuned" in (trained.run_folder() / "compare.md").read_text("utf-8")


def test_questions_of_one_s_own_are_asked_instead(trained: Desk) -> None:
    path = trained.folder / "questions.txt"
    path.write_text("Πότε έγινε;\nΠοιος ήταν;\n", "utf-8")
    trained.cli("compare", "--questions", str(path), "--best", "--max-tokens", "8")
    found = compared(trained)
    assert [row["question"] for row in found["rows"]] == ["Πότε έγινε;", "Ποιος ήταν;"]
    assert found["shares"] == [] and found["checkpoint"] == "best"
    assert all(row["group"] == "asked" for row in found["rows"])


def test_what_cannot_be_compared_is_one_line(built: Desk) -> None:
    assert "run `kkoracle train`" in built.refuses("compare")
    missing = built.folder / "none.txt"
    assert "cannot read questions" in built.refuses("compare", "--questions", str(missing))
    missing.write_text("\n")
    assert "holds no question" in built.refuses("compare", "--questions", str(missing))


def test_an_adapter_is_not_put_on_another_model(built: Desk) -> None:
    from tools.tiny_model import make_tiny_model

    built.configure(RECIPE.replace("samples = 2", "samples = 0") + "epochs = 1\n")
    built.cli("train")
    other = make_tiny_model(built.folder / "other", ["Άλλο μοντέλο."], hidden=32)
    line = built.refuses("compare", "--model", str(other))
    assert "was trained on" in line
    line = built.refuses("compare", "--max-tokens", "5000")
    assert "exceed the model's context of 2048" in line
