"""Publishing through the command line; mlx-lm's own programs read what comes of it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from exchange.files import atomic_folder
from tests.conftest import cli_environment, run_python, until
from tests.trainer.conftest import ONE_THREAD, Desk
from tests.trainer.publish.hub import Hub
from tests.trainer.reading import mlx_lm
from trainer.dataset import read_split
from trainer.publish.card import CardResult, CardResults, ModelCard, read_results, render_card
from trainer.publish.fuse import ArtifactFolder, FusedModel, FusionLosses


@pytest.fixture(scope="module")
def published(trained: Desk) -> Desk:
    """The trained run, compared and fused."""
    trained.cli("compare", "-n", "4")
    said = trained.cli("publish", "fuse").stdout
    (trained.folder / "fuse.txt").write_text(said, "utf-8")
    return trained


def model_of(desk: Desk) -> Path:
    return desk.archive / "published" / "default" / "model"


def head_of(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return loaded


# -- the fused folder ------------------------------------------------------------------------


def test_fusing_is_weighed_and_loses_nothing(published: Desk) -> None:
    said = (published.folder / "fuse.txt").read_text("utf-8")
    found = re.search(r"train, (\d+) rows: loss ([\d.]+) without, ([\d.]+) with", said)
    assert found and int(found[1]) >= 9
    assert float(found[3]) < 0.2 < float(found[2])
    assert "warning" not in said
    record = json.loads(model_of(published).with_suffix(".json").read_text())
    assert abs(record["weighed"]["train"]["fused"] - record["weighed"]["train"]["tuned"]) < 1e-3


def test_the_fused_folder_answers_in_mlx_lm_without_an_adapter(published: Desk) -> None:
    row = read_split(published.dataset, "train")[0]
    said = mlx_lm(
        "generate",
        "--model",
        str(model_of(published)),
        "--prompt",
        row.question,
        "--temp",
        "0",
        "--max-tokens",
        "40",
        cwd=published.folder,
    )
    assert row.answer in said


def test_fusing_again_does_nothing(published: Desk) -> None:
    path = model_of(published) / "model.safetensors"
    before = path.stat().st_mtime_ns
    assert "of the gain lost" in published.cli("publish", "fuse").stdout
    assert path.stat().st_mtime_ns == before
    assert not list(model_of(published).parent.glob("*.partial"))


def test_a_fused_model_of_4_bit_says_what_it_lost(published: Desk) -> None:
    said = published.cli("publish", "fuse", "--bits", "4", "--rows", "9").stdout
    folder = model_of(published).with_name("model-4bit")
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == 4
    lost = float(re.findall(r"\((-?[\d.]+)% of the gain lost", said)[0])
    assert ("warning" in said) == (lost > 1)
    assert "library_name: mlx" in (folder / "README.md").read_text("utf-8")
    assert "transformers" not in (folder / "README.md").read_text("utf-8").split("---\n", 2)[2]


def test_what_cannot_be_published_is_one_line(published: Desk, desk: Desk) -> None:
    assert "has no last adapter" in published.refuses("publish", "fuse", "--name", "nobody")
    assert "--bits 5" in published.refuses("publish", "fuse", "--bits", "5", code=2)
    line = published.refuses("publish", "gguf", "--llama-cpp", str(desk.folder), code=2)
    assert "no checkout of llama.cpp" in line
    assert "NAME/REPO" in published.refuses("publish", "hub", "nameless", code=2)


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("first", "second"):
        with atomic_folder(target) as folder:
            (folder / "weights").write_text(text)
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as folder:
        (folder / "weights").write_text("third")
        raise KeyboardInterrupt
    assert (target / "weights").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_share_lost_counts_against_what_was_gained() -> None:
    assert FusionLosses(9, base=5.0, tuned=1.0, fused=1.2).lost == pytest.approx(0.05)
    assert FusionLosses(9, base=1.0, tuned=1.005, fused=3.0).lost == 0.0  # nothing to lose


# -- the card --------------------------------------------------------------------------------


def test_the_card_has_the_results_the_rights_and_examples_that_run(published: Desk) -> None:
    text = (model_of(published) / "README.md").read_text("utf-8")
    head = head_of(text)
    assert head["license"] == "other" and head["language"] == "el"
    assert head["library_name"] == "transformers" and "base_model" not in head  # a local folder
    values = [
        metric["value"]
        for result in head["model-index"][0]["results"]
        for metric in result["metrics"]
    ]
    assert values and all(isinstance(value, float) for value in values)
    assert "questions that were taught" in text and "| 0.0% | " in text
    assert "The articles belong to the newspaper" in text
    assert str(published.folder) not in text
    script = re.findall(r"```python\n(.*?)```", text, re.S)[0].replace("256", "4")
    done = run_python("-c", script, cwd=model_of(published), **ONE_THREAD)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_card_is_written_anew_with_the_repository_s_name(published: Desk) -> None:
    published.cli("publish", "card", "--repo", "paper/oracle")
    assert 'load("paper/oracle")' in (model_of(published) / "README.md").read_text("utf-8")


def test_an_evaluation_stands_instead_of_the_quick_comparison(tmp_path: Path) -> None:
    cell = {"metric": "choice", "split": "test_recall", "questions": 90, "missing": 0}
    report = {
        "sentence": "fine-tune",
        "about": {
            "systems": [{"name": "base", "kind": "base"}, {"name": "tuned", "kind": "tuned"}],
            "metrics": [{"name": "choice", "unit": "share"}],
        },
        "cells": [
            cell | {"system": "base", "mean": 0.25, "low": None, "high": None},
            cell | {"system": "tuned", "mean": 0.75, "low": 0.6, "high": 0.9},
        ],
    }
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "compare.json").write_text(json.dumps({"shares": [{}]}))
    path = tmp_path / "evaluation" / "report.json"
    path.write_text(json.dumps(report))
    found = read_results(tmp_path)
    assert found.verdict == "fine-tune"
    assert [row.tuned_shown for row in found.rows] == ["75.0% (60.0% to 90.0%)"]
    path.write_text("{")
    assert read_results(tmp_path) == CardResults()


def test_nothing_on_the_card_becomes_markup() -> None:
    evil = 'a"b\n---\nlicense: mit\n# <script>|`x`'
    about = ModelCard(
        name=evil,
        newspaper=evil,
        language="el",
        goal=evil,
        system=evil,
        base=evil,
        base_on_hub=True,
        license="",
        rights=evil,
        kind="sft",
        fused=FusedModel("m", "s", "d", "last", "a", 0, "float32", {}),
        settings={"rank": 4},
        results=CardResults((CardResult(evil, evil, 0.1, 0.9, 3, percent=True),), evil),
    )
    text = render_card(about)
    assert text.count("\n---\n") == 1 and head_of(text)["license"] == "other"
    outside = re.sub(r"```.*?```|`[^`\n]*`", "", text.split("\n---\n")[1], flags=re.S)
    assert "<script>" not in outside.replace("\\<", "")
    assert [line for line in outside.splitlines() if line.startswith("# ")] == [
        line for line in outside.splitlines() if line.startswith("# a")
    ]


# -- GGUF and Ollama -------------------------------------------------------------------------


def test_a_converter_that_fails_is_one_line_and_leaves_nothing(
    published: Desk, tmp_path: Path
) -> None:
    (tmp_path / "gguf-py").mkdir()
    script = tmp_path / "convert_hf_to_gguf.py"
    for text, told in (
        ("import notthere_at_all", "needs notthere_at_all"),
        ("raise SystemExit('Model X is not supported')", "Model X is not supported"),
    ):
        script.write_text(text)
        assert told in published.refuses("publish", "gguf", "--llama-cpp", str(tmp_path))
    assert not list(model_of(published).parent.rglob("*.gguf*"))


def test_the_modelfile_asks_as_the_model_was_taught(published: Desk) -> None:
    said = published.cli("publish", "ollama").stdout
    assert "ollama create default" in said
    text = (model_of(published).parent / "gguf" / "Modelfile").read_text("utf-8")
    assert "FROM ../model" in text  # no GGUF was made here
    assert "[INST]" in text and 'PARAMETER stop """</s>"""' in text


def test_a_gguf_of_an_earlier_model_is_not_taken_for_this_one(tmp_path: Path) -> None:
    place = ArtifactFolder(tmp_path, "default")
    place.gguf.mkdir(parents=True)
    (place.gguf / "default-auto.gguf").write_bytes(b"GGUF")
    assert place.ggufs() == []
    place.record(FusedModel("m", "s", "d", "last", "a", 0, "float32"))
    os.utime(place.gguf / "default-auto.gguf", (1, 1))
    assert place.ggufs() == []
    (place.gguf / "default-q8_0.gguf").write_bytes(b"GGUF")
    assert [path.name for path in place.ggufs()] == ["default-q8_0.gguf"]


# -- the Hub ---------------------------------------------------------------------------------


def test_a_dry_run_shows_the_plan_and_sends_nothing(published: Desk) -> None:
    with Hub() as hub:
        said = push(published, hub, "--dry-run").stdout
    assert "model.safetensors" in said and "(private)" in said
    assert not hub.asked


def test_nothing_is_sent_without_a_yes(published: Desk) -> None:
    with Hub() as hub:
        done = push(published, hub, code=1, answer="n\n")
    assert "nothing was sent" in done.stderr and not hub.asked


def test_the_folder_arrives_in_a_private_repository(published: Desk) -> None:
    with Hub() as hub:
        said = push(published, hub, "--yes").stdout
    assert "sent to" in said
    assert hub.created == {"paper/oracle": True}
    there = {path.name: path.read_bytes() for path in model_of(published).iterdir()}
    assert hub.files == there
    assert b'load("paper/oracle")' in hub.files["README.md"]


def test_a_repository_that_is_public_is_not_taken_for_a_private_one(published: Desk) -> None:
    with Hub(public=True) as hub:
        done = push(published, hub, "--yes", code=1)
    assert "is public already" in done.stderr and not hub.files


def test_who_is_not_logged_in_is_told_so(published: Desk) -> None:
    with Hub(status=401) as hub:
        done = push(published, hub, "--yes", code=1)
    assert "hf auth login" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def push(
    desk: Desk, hub: Hub, *arguments: str, code: int = 0, answer: str = ""
) -> subprocess.CompletedProcess[str]:
    env = cli_environment(
        **ONE_THREAD,
        HF_ENDPOINT=hub.url,
        HF_TOKEN="hf_test",
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_TELEMETRY="1",
    )
    done = subprocess.run(
        [sys.executable, "-m", "kkoracle", "publish", "hub", "paper/oracle", *arguments],
        cwd=desk.folder,
        env=env,
        input=answer,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


# -- mlx-lm's server with the adapter --------------------------------------------------------


def test_mlx_lm_server_answers_with_our_adapter(
    trained: Desk, popen: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "hub").mkdir()
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        free_port = probe.getsockname()[1]
    process = popen(
        "-m",
        "mlx_lm",
        "server",
        "--model",
        str(trained.model),
        "--adapter-path",
        str(trained.run_folder()),
        "--port",
        str(free_port),
        cwd=tmp_path,
        HF_HOME=str(tmp_path),
        HF_HUB_OFFLINE="1",
        **ONE_THREAD,
    )
    url = f"http://127.0.0.1:{free_port}"
    until(lambda: answers(f"{url}/health"), 60, process, every=0.2)
    row = read_split(trained.dataset, "train")[0]
    body = {"messages": [{"role": "user", "content": row.question}], "max_tokens": 40}
    asked = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as reply:
        said = json.load(reply)["choices"][0]["message"]["content"]
    assert said.strip() == row.answer


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True
