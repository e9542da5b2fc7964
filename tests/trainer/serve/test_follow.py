"""`serve --follow`: the promoted run moves on, and nobody who asks notices more than that."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.lock import GPU_LOCK, FileLock
from tests.conftest import until
from tests.trainer.conftest import Desk
from tests.trainer.serve.test_serve import Server, start
from trainer.dataset import read_split
from trainer.promote import versions
from trainer.serve.server import FOLLOW_S

QUESTIONS = 6


@pytest.fixture
def desk(trained: Desk, tmp_path: Path) -> Desk:
    """Two runs: what was learned, promoted; and one whose adapter says something else."""
    folder = tmp_path / "desk"
    shutil.copytree(trained.folder, folder)
    made = Desk(folder, trained.model)
    runs = made.archive / "runs"
    shutil.copytree(runs / "default", runs / "live-0002")
    shutil.copytree(runs / "default", runs / "live-0001")
    config = json.loads((runs / "live-0002" / "adapter_config.json").read_text())
    config["lora_parameters"]["scale"] = 0.0  # the base, to the bit
    (runs / "live-0002" / "adapter_config.json").write_text(json.dumps(config))
    versions.point_to(made.archive, "live-0001")
    return made


def root(server: Server) -> Any:
    return server.ask("/v1/models/tuned")[1]["root"]


def test_a_newer_model_is_taken_while_everybody_is_answered(
    desk: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    server = start(desk, popen, "--follow")
    questions = [row.question for row in read_split(desk.dataset, "train")[:QUESTIONS]]
    before = [server.text(question) for question in questions]
    base = [server.text(question, model="base") for question in questions]
    assert root(server) == "live-0001" and before != base
    said: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for number, question in enumerate(questions):
                said.append((number, server.text(question)))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(said) > 20)
    versions.point_to(desk.archive, "live-0002")
    until(lambda: root(server) == "live-0002")
    seen = len(said)
    until(lambda: len(said) > seen + 40)
    stop.set()
    for thread in threads:
        thread.join()
    assert all(text in (before[number], base[number]) for number, text in said)
    assert [server.text(question) for question in questions] == base
    versions.point_to(desk.archive, "live-0001")
    until(lambda: root(server) == "live-0001")
    assert [server.text(question) for question in questions] == before


def test_an_adapter_of_another_model_is_not_taken(
    desk: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    server = start(desk, popen, "--follow")
    path = desk.run_folder("live-0002") / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_sha": "0" * 12}))
    versions.point_to(desk.archive, "live-0002")
    time.sleep(3 * FOLLOW_S)
    assert root(server) == "live-0001" and server.text("Πότε;")
    shutil.copytree(desk.run_folder("default"), desk.run_folder("live-0003"))
    versions.point_to(desk.archive, "live-0003")
    until(lambda: root(server) == "live-0003")


def test_training_is_not_kept_from_the_gpu(
    desk: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    start(desk, popen, "--follow")
    with FileLock(desk.folder / "data" / GPU_LOCK):
        pass  # raises Busy where somebody has it


def test_an_adapter_that_cannot_be_loaded_changes_nothing(
    desk: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    server = start(desk, popen, "--follow")
    question = read_split(desk.dataset, "train")[0].question
    before = server.text(question)
    weights = desk.archive / "runs" / "live-0002" / "adapters.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    versions.point_to(desk.archive, "live-0002")
    assert server.process.stdout
    assert "live-0002 is not taken" in server.process.stdout.readline()
    assert server.text(question) == before
    assert root(server) == "live-0001"


def test_without_a_promoted_run_there_is_nothing_to_follow(trained: Desk, desk: Desk) -> None:
    (desk.archive / "runs" / "live").unlink()
    assert "nothing was promoted yet" in desk.refuses("serve", "--follow")
