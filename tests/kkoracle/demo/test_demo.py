"""The whole way as a person runs it, undisturbed and with one process killed after another."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
import pytest

from exchange.store.spool import Spool
from kkoracle.demo.progress import spool_counters
from tests.conftest import run_cli, until, worker_of

STORIES = "60"
BRIEF = {"KKORACLE_TRAIN_EPOCHS": "1"}  # where only crawl and generation are looked at
Popen = Callable[..., subprocess.Popen[str]]


@dataclass(frozen=True)
class Outcome:
    """What a demo leaves in its spool, without ids of workers and times."""

    stories: list[dict[str, object]]
    tasks: list[tuple[str, str, str]]
    pairs: list[tuple[str, str, str]]
    completions: int


def outcome(directory: Path) -> Outcome:
    spool = Spool.read(directory / "data" / "demo")
    rows = spool.db.execute

    def every(query: str) -> list[tuple[str, ...]]:
        return [tuple(row) for row in rows(query)]

    # Each demo serves on a port of its own: the address is told without it.
    stories = [
        {**orjson.loads(record), "url": orjson.loads(record)["url"].partition("/story.do")[2]}
        for (record,) in rows("SELECT record FROM stories ORDER BY id")
    ]
    found = Outcome(
        stories,
        every("SELECT id, state, reason FROM tasks ORDER BY id"),  # type: ignore[arg-type]
        every("SELECT id, status, reason FROM pairs ORDER BY id"),  # type: ignore[arg-type]
        int(every("SELECT COUNT(*) FROM completions")[0][0]),
    )
    spool.close()
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    said = run_cli("demo", "--stories", STORIES, cwd=folder, timeout=300)
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    (folder / "said").write_text(said.stdout, "utf-8")
    return folder / ".demo"


def test_every_story_is_there_once_and_every_chunk_was_asked_about(undisturbed: Path) -> None:
    found = outcome(undisturbed)
    assert len(found.stories) == int(STORIES)
    assert len(found.tasks) == found.completions > int(STORIES)
    assert {state for _, state, _ in found.tasks} <= {"done", "failed"}
    truth = orjson.loads((undisturbed / "truth.json").read_bytes())
    printed = {story["title"] for story in truth["stories"]}
    assert {story["title"] for story in found.stories} == printed


def test_the_summary_says_what_came_of_it_and_where_it_is(undisturbed: Path) -> None:
    said = (undisturbed.parent / "said").read_text("utf-8")
    for word in ("pages", "stories", "chunks", "pairs", "loss", "trained", "held out", "time"):
        assert f"\n{word} " in said
    run = undisturbed / "data" / "demo" / "runs" / "default"
    assert str(run.relative_to(undisturbed)) in said and (run / "adapters.safetensors").exists()
    summary = said[said.rindex("\npages ") :].partition("\nNext")[0]
    assert [line for line in summary.splitlines() if len(line) > 80] == []
    summary = orjson.loads((run / "summary.json").read_bytes())
    assert summary["taught_after"] < summary["taught_before"] / 2


def test_nothing_of_it_is_left_running(undisturbed: Path) -> None:
    listed = [one.info["cmdline"] for one in psutil.process_iter(["cmdline"])]
    assert str(undisturbed) not in str(listed)


def test_running_it_again_changes_nothing_and_is_quick(undisturbed: Path) -> None:
    before = outcome(undisturbed)
    started = time.monotonic()
    said = run_cli("demo", cwd=undisturbed.parent, timeout=120)
    assert said.returncode == 0
    assert outcome(undisturbed) == before
    assert time.monotonic() - started < 60


def pid_of_child(directory: Path, name: str) -> int:
    return int(orjson.loads((directory / "children.json").read_bytes())[name])


def pid_of(directory: Path, victim: str) -> int:
    if victim == "redis":
        return int(orjson.loads((directory / "data" / "redis" / "redis.json").read_bytes())["pid"])
    if victim != "worker process":
        return pid_of_child(directory, victim)
    return worker_of(pid_of_child(directory, "worker"))


@pytest.mark.storm
@pytest.mark.parametrize("victim", ["daemon", "worker", "worker process", "redis", "the demo"])
def test_killed_and_started_again_it_ends_as_if_undisturbed(
    undisturbed: Path, tmp_path: Path, popen: Popen, victim: str
) -> None:
    directory = tmp_path / ".demo"
    first = popen("-m", "kkoracle", "demo", "--stories", STORIES, cwd=tmp_path, **BRIEF)

    def is_half_way() -> bool:
        found = spool_counters(directory / "data" / "demo")
        return found.get("tasks.done", 0) + found.get("tasks.failed", 0) >= 20

    until(is_half_way, 60, first)
    os.kill(first.pid if victim == "the demo" else pid_of(directory, victim), signal.SIGKILL)
    code = first.wait(300)
    if victim in ("worker process", "redis"):
        assert code == 0  # repaired while it ran
    else:
        assert code != 0
        again = run_cli("demo", cwd=tmp_path, timeout=300, **BRIEF)
        assert again.returncode == 0, again.stderr[-3000:]
    assert outcome(directory) == outcome(undisturbed)


def test_ctrl_c_ends_it_with_3_and_it_goes_on(
    undisturbed: Path, tmp_path: Path, popen: Popen
) -> None:
    first = popen("-m", "kkoracle", "demo", "--stories", STORIES, cwd=tmp_path, **BRIEF)
    data = tmp_path / ".demo" / "data" / "demo"
    until(lambda: spool_counters(data).get("tasks.done", 0) >= 5, 60, first)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 3
    assert first.stdout is not None
    assert "run the same command again" in first.stdout.read()
    assert run_cli("demo", cwd=tmp_path, timeout=300, **BRIEF).returncode == 0
    assert outcome(tmp_path / ".demo") == outcome(undisturbed)


def test_an_english_demo_wants_a_model_that_speaks_it(tmp_path: Path) -> None:
    said = run_cli("demo", "--language", "en", cwd=tmp_path)
    assert said.returncode == 1 and "--model" in said.stderr and "Traceback" not in said.stderr
    assert not (tmp_path / ".demo" / "demo.json").exists()
    said = run_cli("demo", "--language", "de", cwd=tmp_path)
    assert said.returncode == 2 and "el and in en" in said.stderr
