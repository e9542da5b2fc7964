"""A finished run: it has learned, it says so, and the neighbours read what it left."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.trainer.conftest import Desk
from tests.trainer.reading import lines, mlx_lm
from trainer.dataset import read_split


def test_the_loss_goes_down_and_both_ends_are_recorded(trained: Desk) -> None:
    summary = json.loads((trained.run_folder() / "summary.json").read_text())
    assert summary["valid_before"] > 4
    assert summary["valid_after"] < 0.5 * summary["valid_before"]
    assert summary["taught_after"] < 0.05 * summary["taught_before"]
    assert summary["best_loss"] <= summary["valid_after"]


def test_every_row_was_seen_in_every_epoch(trained: Desk) -> None:
    metrics = [entry for entry in lines(trained.run_folder() / "metrics.jsonl") if "norm" in entry]
    rows = len(read_split(trained.dataset, "train"))
    per_epoch = -(-rows // 8)
    assert len(metrics) == 30 * per_epoch
    epochs = [
        sum(m["tokens"] for m in metrics[at : at + per_epoch])
        for at in range(0, len(metrics), per_epoch)
    ]
    assert len(set(epochs)) == 1
    assert metrics[-1]["epoch"] == 30.0


def test_what_it_was_taught_is_written_down_row_by_row(trained: Desk) -> None:
    taught = (trained.run_folder() / "taught.txt").read_text("utf-8").split()
    assert taught == [row.id for row in read_split(trained.dataset, "train")]


def test_the_derived_numbers_stand_before_the_work_and_the_curve_after(trained: Desk) -> None:
    said = (trained.folder / "train.txt").read_text("utf-8")
    plan, start = said.index("trainable parameters"), said.index("step 0: validation loss")
    assert plan < start < said.index("training loss   o validation loss")
    assert re.search(r"padding\W+\d+\.\d%", said)


def test_sample_answers_were_given_and_the_taught_one_is_right_at_the_end(trained: Desk) -> None:
    samples = lines(trained.run_folder() / "samples.jsonl")
    taught = [sample for sample in samples if sample["split"] == "train"]
    assert taught[0]["answer"] != taught[0]["reference"]
    assert taught[-1]["answer"] == taught[-1]["reference"]


def test_the_same_command_again_does_nothing(trained: Desk) -> None:
    path = trained.run_folder() / "adapters.safetensors"
    before = path.stat().st_mtime_ns
    assert "is finished already" in trained.cli("train").stdout
    assert path.stat().st_mtime_ns == before
    assert not (trained.run_folder() / "state.safetensors").exists()


def test_mlx_lm_generate_answers_a_taught_question_with_our_adapter(trained: Desk) -> None:
    row = read_split(trained.dataset, "train")[0]
    said = mlx_lm(
        "generate",
        "--model",
        str(trained.model),
        "--adapter-path",
        str(trained.run_folder()),
        "--prompt",
        row.question,
        "--temp",
        "0",
        "--max-tokens",
        "40",
        cwd=trained.folder,
    )
    assert row.answer in said


@pytest.mark.parametrize("form", ["mlx", "mlx-completions"])
def test_mlx_lm_lora_reads_our_dataset_and_our_adapter(
    trained: Desk, form: str, tmp_path: Path
) -> None:
    trained.cli("dataset", "export", form, "--to", str(tmp_path))
    arguments = [
        "lora",
        "--test",
        "--data",
        str(tmp_path),
        "--model",
        str(trained.model),
        "--batch-size",
        "1",
        "--mask-prompt",
        "--adapter-path",
    ]
    losses = [
        float(re.search(r"Test loss (\d+\.\d+)", mlx_lm(*arguments, path, cwd=trained.folder))[1])  # type: ignore[index]
        for path in ("", str(trained.run_folder()))
    ]
    assert losses[1] < losses[0]


def test_mlx_lm_fuse_makes_a_model_of_it(trained: Desk, tmp_path: Path) -> None:
    mlx_lm(
        "fuse",
        "--model",
        str(trained.model),
        "--adapter-path",
        str(trained.run_folder()),
        "--save-path",
        str(tmp_path / "fused"),
        cwd=trained.folder,
    )
    assert (tmp_path / "fused" / "model.safetensors").stat().st_size > 100_000
