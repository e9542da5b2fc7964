"""`kkoracle work --probe`: a look at the pairs to come, which changes nothing."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from rich.cells import cell_len

from exchange.inference.engine import EngineDescription
from exchange.project import Project
from exchange.records import Pair, Result, Task
from exchange.store.spool import Spool
from tests.conftest import fill_spool, run_cli, until
from tests.workers.endpoint import Endpoint, answer_about, number_of
from tests.workers.test_verification import AGAIN
from tools.completions import made_up_completion
from workers.estimate import GenerationProbe, ProbedTask
from workers.probe import summary_lines

MakeProject = Callable[..., Project]


def contents(project: Project) -> str:
    """A hash over every row of the spool."""
    spool = Spool.read(project.archive_dir())
    try:
        return hashlib.sha256("\n".join(spool.db.iterdump()).encode()).hexdigest()
    finally:
        spool.close()


def test_it_measures_shows_and_changes_nothing(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project()
    fill_spool(project, 50).close()
    before = contents(project)
    said = run_cli("work", "--probe", "--json", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    found = orjson.loads(said.stdout)
    assert found["engine"] == "mlx" and found["width"] == 4 and found["open_tasks"] == 50
    assert len(found["tried"]) == found["tasks"] == 20
    assert {len(one["completion"]["text"]) > 0 for one in found["tried"]} == {True}
    least, most = found["hours_left"]
    assert 0 < least <= most and found["tokens_per_s"] > 0
    assert found["with_form"] == 0 and found["verdicts"] == {"no-pair": 20}
    assert not found["speech"]["answers"] and found["speech"]["bits"] > 3, "its weights are random"
    assert found["speech"]["context"] == 2048 and found["speech"]["language"] == "el"
    kept = orjson.loads((project.archive_dir() / "probe.json").read_bytes())  # for the estimate
    assert kept == {name: value for name, value in found.items() if name != "tried"}
    assert contents(project) == before
    assert not project.redis_dir.exists()


def test_it_can_be_read_in_80_columns(make_project: MakeProject, tmp_path: Path) -> None:
    fill_spool(make_project(), 25).close()
    with Endpoint() as endpoint:
        said = run_cli(
            "work",
            "--probe",
            cwd=tmp_path,
            COLUMNS="80",
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
        )
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert max(map(cell_len, lines)) <= 80
    beside = next(line for line in lines if "Ερώτηση:" in line)
    assert beside[:38].strip(), "the chunk stands on the left of the completion"
    assert sum(line.startswith(("+ ", "- ")) for line in lines) == 20
    assert "20 of 20 tasks" in said.stdout and "all 25 open tasks of paper" in said.stdout
    assert set(endpoint.asked.values()) == {1}
    assert "20 of 20 replies had the form" in said.stdout
    assert "as the checks judged: accepted 20" in said.stdout
    assert "it does not answer a plain question" in " ".join(said.stdout.split())


def test_models_stand_side_by_side_on_the_same_tasks(
    make_project: MakeProject, tmp_path: Path
) -> None:
    fill_spool(make_project(), 25).close()

    def reply(prompt: str) -> str:
        chunk, again, _ = prompt.partition(AGAIN)
        return number_of(chunk) if again else answer_about(prompt)

    with Endpoint(reply=reply) as endpoint:
        said = run_cli(
            *("work", "--probe", "--verify", "--model", "some/first", "--model", "some/second"),
            cwd=tmp_path,
            COLUMNS="100",
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
        )
    assert said.returncode == 0, said.stderr
    table = [line.split() for line in said.stdout.splitlines() if line.startswith("some/")][-2:]
    assert [row[0] for row in table] == ["some/first", "some/second"]
    for row in table:
        assert row[1:8] == ["20", "of", "20", "20", "of", "20", "100%"]
    asked = [body["model"] for body in endpoint.bodies if AGAIN in body["messages"][-1]["content"]]
    assert asked.count("some/first") == asked.count("some/second") == 20


def test_a_worker_holds_one_model(make_project: MakeProject, tmp_path: Path) -> None:
    fill_spool(make_project(), 1).close()
    said = run_cli("work", "--model", "some/first", "--model", "some/second", cwd=tmp_path)
    assert said.returncode == 2 and "go with --probe alone" in said.stderr


def test_ctrl_c_prints_what_it_has(
    make_project: MakeProject, popen: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    fill_spool(make_project(), 25).close()
    with Endpoint(delay=0.7) as endpoint:
        process = popen(
            "-m",
            "kkoracle",
            "work",
            "--probe",
            cwd=tmp_path,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
        )
        # One plain question, four tasks that are done and four that take their places.
        until(lambda: endpoint.asked.total() >= 13, 30, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 3
    assert process.stdout is not None
    said = process.stdout.read()
    assert "(stopped)" in said and "open tasks of paper" in said and "Traceback" not in said


def test_an_archive_without_open_tasks_is_one_line(
    make_project: MakeProject, tmp_path: Path
) -> None:
    fill_spool(make_project(), 0).close()
    said = run_cli("work", "--probe", cwd=tmp_path)
    assert said.returncode == 1
    assert "no task of paper is open" in said.stderr and "Traceback" not in said.stderr


def tried(seconds: float, pairs: int) -> ProbedTask:
    task = Task(
        id="a" * 24,
        archive="paper",
        kind="chunk",
        chunk_ids=("c",),
        recipe="r",
        text="t",
        header="h",
    )
    done = made_up_completion(task.id, "", tokens_out=100, seed=7)
    kept = Pair(
        id="p",
        task_id=task.id,
        chunk_ids=("c",),
        question="?",
        answer=".",
        kind="fact",
        status="accepted",
    )
    return ProbedTask(task, Result.of(done, "paper", (kept,) * pairs), seconds)


def test_the_range_goes_from_what_was_measured_to_a_batch_that_is_always_full() -> None:
    # Four tasks of 10 s each within 20 s: two rows at a time, in a batch that could hold eight.
    found = GenerationProbe(
        4, 7200, EngineDescription("mlx", "m", "4bit", 8), [tried(10, 3)] * 4, 20.0
    )
    assert found.tasks_per_h == (720, 2880)
    assert found.hours_left == (2.5, 10)
    assert found.pairs_per_task == 3 and found.tokens_per_s == 20
    said = "\n".join(summary_lines(found, "paper", datetime(2026, 5, 1, 8, 0)))
    assert "2,160 to 8,640 pairs" in said
    assert "2.5 to 10.0 h, done 10:30 to 18:00" in said


@pytest.mark.parametrize("done", [[], [tried(0.0, 0)]])
def test_nothing_measured_is_said_so(done: list[ProbedTask]) -> None:
    found = GenerationProbe(
        20, 9, EngineDescription("mlx", "m", "4bit", 8), done, 0.0, stopped=True
    )
    assert summary_lines(found, "paper", datetime(2026, 5, 1))[-1].startswith(
        "nothing was finished"
    )
