"""The search through the command line: it finds, it is stopped, it goes on, it writes."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Callable
from typing import Any

from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk
from tests.trainer.reading import until

LONG = RECIPE.replace("batch = 8", "batch = 2") + "epochs = 30\n"
SEARCH = ("sweep", "--from", "1e-3", "--to", "1.0", "--rates", "3", "--budget", "0.4")


def losses(desk: Desk) -> list[tuple[Any, ...]]:
    lines = (desk.archive / "sweeps" / "default" / "tries.jsonl").read_bytes().splitlines()
    tries = [json.loads(line) for line in lines]
    return [(one["round"], one["rate"], one["diverged"], one["losses"]) for one in tries]


def test_a_search_finds_a_rate_and_writes_it(built: Desk) -> None:
    built.configure(LONG)
    found = json.loads(built.cli(*SEARCH, "--json", "--write").stdout)
    assert 2e-3 < found["lr"] < 0.3
    first = [one for one in found["tries"] if one["rows"] == found["tries"][0]["rows"]]
    assert [one["rate"] for one in first] == [1e-3, 0.032, 1.0]
    assert first[-1]["diverged"] or first[-1]["loss"] > first[1]["loss"]
    assert found["share_of_steps"] <= 0.4 and not found["recall"]
    config = tomllib.loads((built.folder / "kkoracle.toml").read_text("utf-8"))
    assert config["train"]["lr"] == found["lr"] and config["train"]["batch"] == 2
    assert not (built.archive / "sweeps" / "default" / "runs").exists()
    assert not (built.archive / "runs").exists()


def test_a_search_for_distil_is_taught_by_the_teacher_too(built: Desk) -> None:
    built.configure(LONG)
    built.cli(*SEARCH)
    plain = losses(built)
    assert not list(built.archive.glob("teacher/*/*"))
    built.cli(*SEARCH, "--recipe", "distil", "--restart")
    assert list(built.archive.glob("teacher/*/*"))
    taught = losses(built)
    assert taught[0][:2] == plain[0][:2] and taught[0][3] != plain[0][3]


def test_stopped_and_begun_again_a_search_ends_as_if_undisturbed(
    built: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    built.configure(LONG)
    process = popen("-m", "kkoracle", *SEARCH, cwd=built.folder, **ONE_THREAD)
    metrics = built.archive / "sweeps" / "default" / "runs" / "0-0.032" / "metrics.jsonl"
    until(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") > 5, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3 and "Traceback" not in said, said
    done = len(losses(built))
    assert f"going on after {done} tries" in built.cli(*SEARCH).stdout
    interrupted = losses(built)
    said = built.cli(*SEARCH, "--restart").stdout
    assert losses(built) == interrupted
    assert "worse than the best by" in said and "lr = " in said


def test_too_few_rows_are_told_what_to_do(built: Desk) -> None:
    assert "too few to search on a part of them" in built.refuses("sweep", code=2)
    assert "give 0 < --from < --to" in built.refuses(
        "sweep", "--from", "0.1", "--to", "0.01", code=2
    )
