"""What cannot be trained is one clear line, and what was saved before is intact."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from exchange.lock import FileLock
from tests.conftest import run_python
from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk
from tests.trainer.reading import steps, until


def test_without_a_dataset_nothing_is_begun(desk: Desk) -> None:
    assert "run `kkoracle dataset build`" in desk.refuses("train")
    assert not desk.run_folder().exists()


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_empty_split_is_one_line(built: Desk, split: str) -> None:
    (built.dataset / f"{split}.jsonl").write_bytes(b"")
    path = built.dataset / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["files"][f"{split}.jsonl"] = {"sha256": sha256(b"").hexdigest(), "bytes": 0}
    path.write_text(json.dumps(manifest), "utf-8")
    assert f"{split}.jsonl holds no rows" in built.refuses("train")
    assert not built.run_folder().exists()


def test_settings_out_of_range_are_one_line(built: Desk) -> None:
    assert "train.rank (from flag)" in built.refuses("train", "--rank", "0", code=2)
    assert "the model has only 2" in built.refuses("train", "--layers", "9", code=2)
    assert "train.recipe (from flag)" in built.refuses("train", "--recipe", "lora", code=2)
    built.configure("learning_rate = 1\n")
    assert "unknown key 'learning_rate' in [train]" in built.refuses("train", code=2)


def test_rows_beyond_the_model_s_context_are_counted_or_refused(built: Desk) -> None:
    built.configure(RECIPE + "max_length = 16\n")
    assert re.search(r"all \d+ rows are longer than 16 tokens", built.refuses("train"))
    built.configure(RECIPE + "epochs = 1\n")
    short = copy_model(built.model, built.folder / "short", context=56)
    said = built.cli("train", "--model", str(short)).stdout
    assert re.search(r"[1-9]\d* rows are longer than 56 tokens and are left out", said)


def test_while_a_worker_generates_no_run_starts(built: Desk) -> None:
    lock = FileLock(built.folder / "data" / "gpu.lock")
    assert lock.acquire(shared=True)
    try:
        assert "a worker is generating" in built.refuses("train")
    finally:
        lock.release()


def test_a_loss_that_is_no_number_stops_at_once_and_spoils_nothing(built: Desk) -> None:
    broken = copy_model(built.model, built.folder / "broken")
    from safetensors.numpy import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("inf")
    save_file(weights, broken / "model.safetensors")
    line = built.refuses("train", "--model", str(broken))
    assert "loss is not finite at step 0" in line
    assert not list(built.run_folder().glob("**/*.safetensors"))


def test_a_full_disk_at_a_checkpoint_costs_only_the_steps_since_the_last(
    built: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    built.configure(RECIPE + "epochs = 12\nsave_every = 4\n")
    process = popen("-m", "kkoracle", "train", cwd=built.folder, **ONE_THREAD)
    until(lambda: steps(built.run_folder()) >= 9, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 3
    state = built.run_folder() / "state.safetensors"
    before = state.read_bytes()
    done = with_little_disk(built.folder, len(before) - 1000, "train")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "free some disk space" in done.stderr and "before is intact" in done.stderr
    assert state.read_bytes() == before
    assert not list(built.run_folder().glob("**/*partial*"))
    assert re.search(r"going on after step \d+ of", built.cli("train").stdout)


def with_little_disk(
    folder: Path, longest: int, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A command in a process that cannot write any file longer than so many bytes."""
    code = (
        "import resource, runpy, sys;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({longest}, {longest}));"
        f"sys.argv[1:] = {list(arguments)!r};"
        "runpy.run_module('kkoracle', run_name='__main__')"
    )
    return run_python("-c", code, cwd=folder, **ONE_THREAD)


def test_a_run_of_another_model_is_not_gone_on_with(built: Desk) -> None:
    from tools.tiny_model import make_tiny_model

    built.configure(RECIPE + "epochs = 1\n")
    built.cli("train")
    before = (built.run_folder() / "adapters.safetensors").read_bytes()
    other = make_tiny_model(built.folder / "other", ["Άλλο μοντέλο."], hidden=32)
    line = built.refuses("train", "--model", str(other), code=2)
    assert "model_sha was" in line and str(other) in line
    assert (built.run_folder() / "adapters.safetensors").read_bytes() == before


def test_a_model_without_a_chat_template_is_one_line(built: Desk) -> None:
    plain = copy_model(built.model, built.folder / "plain")
    path = plain / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["chat_template"]
    path.write_text(json.dumps(settings))
    assert "has no chat template" in built.refuses("train", "--model", str(plain))


def copy_model(source: Path, target: Path, context: int = 0) -> Path:
    """The same model; with `context`, made for no more than so many tokens."""
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    if context:
        config = json.loads((target / "config.json").read_text("utf-8"))
        config["max_position_embeddings"] = context
        (target / "config.json").write_text(json.dumps(config), "utf-8")
    return target


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_needs_no_mlx(desk: Desk, command: str) -> None:
    shown = desk.cli(command, "--help").stdout
    assert "--model" in shown
