"""Training through the command line: it learns, it resumes exactly, and neighbours read it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.lock import FileLock
from tests.conftest import cli_environment
from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk
from trainer.dataset import read_split

# With dropout, so that the random numbers have to come back too.
SHORT = RECIPE.replace("= 8", "= 4") + "accumulate = 2\nepochs = 3\nsave_every = 2\ndropout = 0.1\n"


def mlx_lm(*arguments: str, cwd: Path) -> str:
    """Run one of mlx-lm's own programs; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mlx_lm", *arguments], cwd=cwd, env=cli_environment(**ONE_THREAD),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSON lines file without what no two runs have in common."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in found]


def result(folder: Path) -> dict[str, Any]:
    """All that a run leaves, as far as it should be equal."""
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("seconds", "peak_bytes"):
        del summary[name]
    return {
        "last": (folder / "adapters.safetensors").read_bytes(),
        "best": (folder / "best" / "adapters.safetensors").read_bytes(),
        "metrics": lines(folder / "metrics.jsonl"),
        "samples": lines(folder / "samples.jsonl"),
        "summary": summary,
    }


def steps(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_bytes().count(b'"norm"') if path.exists() else 0


# -- a finished run --------------------------------------------------------------------------


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
    epochs = [sum(m["tokens"] for m in metrics[at : at + per_epoch])
              for at in range(0, len(metrics), per_epoch)]  # fmt: skip
    assert len(set(epochs)) == 1
    assert metrics[-1]["epoch"] == 30.0


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
    said = mlx_lm("generate", "--model", str(trained.model), "--adapter-path",
                  str(trained.run_folder()), "--prompt", row.question, "--temp", "0",
                  "--max-tokens", "40", cwd=trained.folder)  # fmt: skip
    assert row.answer in said


@pytest.mark.parametrize("form", ["mlx", "mlx-completions"])
def test_mlx_lm_lora_reads_our_dataset_and_our_adapter(
    trained: Desk, form: str, tmp_path: Path
) -> None:
    trained.cli("dataset", "export", form, "--to", str(tmp_path))
    arguments = ["lora", "--test", "--data", str(tmp_path), "--model", str(trained.model),
                 "--batch-size", "1", "--mask-prompt", "--adapter-path"]  # fmt: skip
    losses = [
        float(re.search(r"Test loss (\d+\.\d+)", mlx_lm(*arguments, path, cwd=trained.folder))[1])  # type: ignore[index]
        for path in ("", str(trained.run_folder()))
    ]
    assert losses[1] < losses[0]


def test_mlx_lm_fuse_makes_a_model_of_it(trained: Desk, tmp_path: Path) -> None:
    mlx_lm("fuse", "--model", str(trained.model), "--adapter-path", str(trained.run_folder()),
           "--save-path", str(tmp_path / "fused"), cwd=trained.folder)  # fmt: skip
    assert (tmp_path / "fused" / "model.safetensors").stat().st_size > 100_000


# -- stopping and going on -------------------------------------------------------------------


def test_a_killed_run_goes_on_to_exactly_the_undisturbed_end(
    built: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    built.configure(SHORT)
    built.cli("train", "--name", "calm")
    folder = built.run_folder("killed")
    for after in (3, 9):
        process = popen("-m", "kkoracle", "train", "--name", "killed", cwd=built.folder,
                        **ONE_THREAD)  # fmt: skip
        until(lambda after=after: steps(folder) >= after, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (folder / "summary.json").exists()
    said = built.cli("train", "--name", "killed").stdout
    assert re.search(r"going on after step \d+ of", said)
    assert result(folder) == result(built.run_folder("calm"))


def test_ctrl_c_ends_with_3_and_the_same_command_goes_on(
    built: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    built.configure(SHORT.replace("save_every = 2", "save_every = 1000"))
    process = popen("-m", "kkoracle", "train", cwd=built.folder, **ONE_THREAD)
    until(lambda: steps(built.run_folder()) >= 3, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 3, said
    assert "the same command goes on from there" in said and "Traceback" not in said
    done = steps(built.run_folder())
    assert f"going on after step {done} of" in built.cli("train").stdout


def test_a_run_begun_otherwise_is_refused_with_the_difference(built: Desk) -> None:
    built.configure(RECIPE + "epochs = 1\n")
    built.cli("train")
    line = built.refuses("train", "--lr", "0.1", "--rank", "4", code=2)
    assert "lr was 0.005, is 0.1; rank was 16, is 4" in line
    assert "--restart" in line
    built.cli("train", "--lr", "0.01", "--restart")


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)


# -- what cannot be trained ------------------------------------------------------------------


def test_without_a_dataset_nothing_is_begun(desk: Desk) -> None:
    assert "run `kkoracle dataset build`" in desk.refuses("train")
    assert not desk.run_folder().exists()


def test_settings_out_of_range_are_one_line(built: Desk) -> None:
    assert "train.rank (from flag)" in built.refuses("train", "--rank", "0", code=2)
    assert "the model has only 2" in built.refuses("train", "--layers", "9", code=2)
    built.configure("learning_rate = 1\n")
    assert "unknown key 'learning_rate' in [train]" in built.refuses("train", code=2)


def test_rows_that_are_too_long_are_counted_or_refused(built: Desk) -> None:
    built.configure(RECIPE + "max_length = 16\n")
    assert re.search(r"all \d+ rows are longer than 16 tokens", built.refuses("train"))


def test_while_a_worker_generates_no_run_starts(built: Desk) -> None:
    lock = FileLock(built.folder / "data" / "gpu.lock")
    assert lock.acquire(shared=True)
    try:
        assert "a worker is generating" in built.refuses("train")
    finally:
        lock.release()


def test_a_loss_that_is_no_number_stops_at_once_and_spoils_nothing(built: Desk) -> None:
    broken = built.folder / "broken"
    copy_model(built.model, broken)
    from safetensors.numpy import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("inf")
    save_file(weights, broken / "model.safetensors")
    line = built.refuses("train", "--model", str(broken))
    assert "loss is no number at step 0" in line
    assert not list(built.run_folder().glob("**/*.safetensors"))


def test_a_model_without_a_chat_template_is_one_line(built: Desk) -> None:
    plain = built.folder / "plain"
    copy_model(built.model, plain)
    settings = json.loads((plain / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (plain / "tokenizer_config.json").write_text(json.dumps(settings))
    assert "has no chat template" in built.refuses("train", "--model", str(plain))


def copy_model(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_needs_no_mlx(desk: Desk, command: str) -> None:
    shown = desk.cli(command, "--help").stdout
    assert "--model" in shown
