"""Each recipe through the command line, and what mlx-lm's own programs make of its adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange.settings import Config
from tests.trainer.conftest import RECIPE, Desk
from tests.trainer.filling import fill
from tests.trainer.reading import lines, mlx_lm, summary
from trainer.dataset import read_split
from trainer.training.callbacks import Callback
from trainer.training.row_selection import select_rows
from trainer.training.settings import RESEARCHER, TrainSettings


def begun(desk: Desk, name: str = "default") -> dict[str, Any]:
    """The settings that a run was begun with."""
    raw: dict[str, Any] = json.loads((desk.run_folder(name) / "run.json").read_text("utf-8"))
    found: dict[str, Any] = raw["settings"]
    return found


def adapter_config(desk: Desk) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (desk.run_folder() / "adapter_config.json").read_text("utf-8")
    )
    return loaded


@pytest.mark.parametrize("recipe", ["dora", "full"])
def test_it_learns_compares_and_is_read_by_mlx_lm(built: Desk, recipe: str) -> None:
    built.configure(RECIPE.replace("= 2\n", "= 0\n") + f'recipe = "{recipe}"\nepochs = 20\n')
    built.cli("train")
    told = summary(built.run_folder())
    assert told["taught_after"] < 0.5 * told["taught_before"]
    assert adapter_config(built)["fine_tune_type"] == recipe
    row = read_split(built.dataset, "train")[0]
    ask = (
        "generate",
        "--model",
        str(built.model),
        "--prompt",
        row.question,
        "--temp",
        "0",
        "--max-tokens",
        "24",
        "--adapter-path",
    )
    tuned = mlx_lm(*ask, str(built.run_folder()), cwd=built.folder)
    built.cli("compare", "-n", "1", "--max-tokens", "24")
    compared = json.loads((built.run_folder() / "compare.json").read_text("utf-8"))
    assert compared["rows"][0]["question"] == row.question
    assert compared["rows"][0]["tuned"] in tuned
    assert compared["rows"][0]["tuned"] != compared["rows"][0]["base"]
    taught = compared["shares"][0]
    assert taught["tuned_loss"] < 0.7 * taught["base_loss"]


def test_full_asks_for_weights_that_are_not_quantised(built: Desk) -> None:
    mlx_lm(
        "convert",
        "--hf-path",
        str(built.model),
        "--mlx-path",
        str(built.folder / "small"),
        "-q",
        "--q-group-size",
        "32",
        cwd=built.folder,
    )
    line = built.refuses(
        "train", "--recipe", "full", "--model", str(built.folder / "small"), code=2
    )
    assert "[model] bits = 0" in line


def test_the_paper_s_own_text_is_taught_only_when_asked_for(desk: Desk) -> None:
    fill(desk.archive, 20)
    desk.cli("dataset", "build")
    assert "set [dataset] text" in desk.refuses("train", "--recipe", "sft+text")
    path = desk.folder / "kkoracle.toml"
    path.write_text(path.read_text().replace("[dataset]\n", "[dataset]\ntext = 0.2\n"))
    desk.cli("dataset", "build")
    rows = read_split(desk.dataset, "train")
    texts = sum(row.kind == "text" for row in rows)
    told: list[str] = []
    callback = Callback()
    callback.log = told.append  # type: ignore[method-assign]
    assert len(select_rows(rows, TrainSettings(), callback)) == len(rows) - texts
    assert told == [f"{texts} rows of the paper's own text are left out: recipe sft+text has them"]
    desk.cli("train", "--epochs", "1", "--recipe", "sft+text")
    assert texts and summary(desk.run_folder())["rows"] == len(rows)


def test_the_researcher_s_run_is_mlx_lm_s_own_but_for_its_flaws(built: Desk) -> None:
    assert "the model has only 2" in built.refuses("train", "--researcher", code=2)
    built.cli("train", "--researcher", "--layers", "2")  # nothing was trained: no --restart
    settings = begun(built)
    assert {name: settings[name] for name in RESEARCHER} == {**RESEARCHER, "layers": 2}
    lora = adapter_config(built)["lora_parameters"]
    assert lora == {"rank": 8, "scale": 20.0, "dropout": 0.0}
    metrics = [entry for entry in lines(built.run_folder() / "metrics.jsonl") if "norm" in entry]
    assert {entry["lr"] for entry in metrics} == {1e-5} and metrics[-1]["epoch"] == 2.0


def test_a_recipe_s_own_settings_give_way_to_any_other(tmp_path: Path) -> None:
    def rate(text: str, env: dict[str, str] | None = None, **flags: object) -> float:
        path = tmp_path / "kkoracle.toml"
        path.write_text(f"[train]\n{text}", "utf-8")
        return Config.find(path, env or {}).table("train", TrainSettings, flags).lr

    assert rate('recipe = "full"') == 2e-5
    assert rate('recipe = "full"\nlr = 3e-4') == 3e-4
    assert rate("", {"KKORACLE_TRAIN_RECIPE": "full"}) == 2e-5
    assert rate("lr = 3e-4", recipe="full") == 3e-4
    assert rate('recipe = "full"', recipe="sft") == 2e-4


def early(desk: Desk, rephrased: int) -> dict[str, Any]:
    """A run too timid to learn anything, on a dataset with or without rephrasings."""
    fill(desk.archive, 24, rephrased=rephrased)
    desk.cli("dataset", "build")
    desk.configure(
        "lr = 1e-12\nsamples = 0\nepochs = 8\nwarmup = 0.0\nevaluate_every = 2\npatience = 2\n"
    )
    said = desk.cli("train").stdout
    told = summary(desk.run_folder())
    assert ("ended early" in said) == told["early"]
    return told


def test_a_run_ends_early_when_what_is_taught_is_answered_no_better(desk: Desk) -> None:
    told = early(desk, rephrased=24)
    assert told["early"] and (told["best_step"], told["steps"]) == (0, 4)
    assert (desk.run_folder() / "best" / "adapters.safetensors").exists()


def test_held_out_stories_do_not_end_a_run(desk: Desk) -> None:
    told = early(desk, rephrased=0)
    assert not told["early"] and told["steps"] % 8 == 0


def test_bits_per_character_are_shown_and_kept(trained: Desk) -> None:
    told = summary(trained.run_folder())
    validations = [
        entry for entry in lines(trained.run_folder() / "metrics.jsonl") if "valid_loss" in entry
    ]
    assert [told["bits_before"], told["bits_after"]] == [
        validations[0]["bits"],
        validations[-1]["bits"],
    ]
    assert "bits per character" in Path(trained.folder / "train.txt").read_text("utf-8")
