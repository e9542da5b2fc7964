"""`kkoracle failed`: seen, tried again, dropped, with and without a daemon; counters stay true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.lock import FileLock
from exchange.project import Project
from exchange.records import Result
from exchange.store import requests, tasks
from exchange.store.review import Review
from exchange.store.spool import Spool
from tests.conftest import fill_spool, run_cli
from tools.completions import made_up_completion

Maker = Callable[..., Project]


@pytest.fixture
def project(make_project: Maker) -> Project:
    """Five tasks: two failed without a pair, one is poison, one is done, one is new."""
    found = make_project()
    spool = fill_spool(found, 5)
    batch = tasks.claim(spool, "paper", 4)
    said = [made_up_completion(t.id, "Άσχετα \x1b[31mλόγια") for t in batch]
    tasks.finish(
        spool,
        [
            Result.of(said[0], "paper", (), "no-pair"),
            Result.of(said[1], "paper", (), "no-pair"),
            Result(batch[2].id, "paper", failed="poison"),
            Result.of(said[3], "paper", ()),
        ],
    )
    spool.close()
    return found


def counters(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    found = {k: v for k, v in spool.counters().items() if k.startswith(("tasks.", "failed."))}
    spool.close()
    return found


def failed_ids(project: Project, reason: str) -> list[str]:
    spool = Spool.read(project.archive_dir())
    found = requests.list_failed(spool, "paper", requests.FailedSelection((), reason), 10)
    ids = [one.task.id for one in found]
    spool.close()
    return ids


def cli(project: Project, *arguments: str) -> tuple[int, str]:
    said = run_cli("failed", *arguments, cwd=project.data.parent)
    return said.returncode, said.stdout + said.stderr


def test_the_list_says_how_many_and_why(project: Project) -> None:
    code, said = cli(project, "list")
    assert code == 0 and "2 no-pair" in said and "1 poison" in said and "Φωνή" in said
    code, said = cli(project, "list", "--reason", "poison")
    assert (
        failed_ids(project, "poison")[0] in said and failed_ids(project, "no-pair")[0] not in said
    )


def test_one_task_is_shown_with_its_reply_and_no_escape_reaches_the_terminal(
    project: Project,
) -> None:
    code, said = cli(project, "show", failed_ids(project, "no-pair")[0][:8])
    assert code == 0 and "Αριθμός" in said and "λόγια" in said and "\x1b" not in said
    assert "no reply is stored" in cli(project, "show", failed_ids(project, "poison")[0])[1]


def test_tasks_are_tried_again_by_reason_and_dropped_by_id(project: Project) -> None:
    assert cli(project, "retry", "--reason", "no-pair")[1].startswith("2 tasks")
    assert counters(project) == {
        "tasks.done": 1,
        "tasks.failed": 1,
        "tasks.new": 3,
        "failed.poison": 1,
    }
    assert cli(project, "drop", failed_ids(project, "poison")[0])[0] == 0
    assert counters(project) == {"tasks.done": 1, "tasks.new": 3, "tasks.stale": 1}
    assert "no task has failed" in cli(project, "list")[1]


def test_a_running_daemon_is_asked_and_answers(project: Project) -> None:
    directory = project.archive_dir()
    with FileLock(directory / "daemon.lock"):
        spool = Spool.open(directory)
        count = requests.submit_request(
            directory,
            requests.FailedSelection((), "").to_json(),
            kind=requests.RETRY,
            waiting=lambda: (
                requests.answer_requests(spool, directory) and None
            ),  # as the daemon does
        )
        spool.close()
    assert count == 3 and "tasks.failed" not in counters(project)


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("retry",), 2, "--reason"),
        (("retry", "--all", "--reason", "poison"), 2, "--reason"),
        (("drop", "ffff0000"), 1, "no failed task begins"),
        (("drop", "%"), 1, "at least 4"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    project: Project, arguments: tuple[str, ...], code: int, what: str
) -> None:
    before = counters(project)
    found, said = cli(project, *arguments)
    assert found == code and what in said and "Traceback" not in said
    assert counters(project) == before


def test_a_request_that_nobody_understands_is_answered_and_stops_nobody(project: Project) -> None:
    directory = project.archive_dir()
    review = Review.open(directory)
    serial = review.add_request(requests.RETRY, "no json")
    spool = Spool.open(directory)
    assert requests.answer_requests(spool, directory) == 1
    assert (review.outcome(serial) or "").startswith("failed: ")


def test_a_task_that_is_tried_again_is_done_by_the_next_worker(
    open_pipeline: Callable[..., object], tmp_path: Path
) -> None:
    with open_pipeline(2) as pipeline:
        pipeline.endpoint.status = [400, 400]
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["failed.endpoint-400"] == 2
        with FileLock(
            pipeline.project.archive_dir() / "daemon.lock"
        ):  # the pipeline's pump is the daemon
            assert cli(pipeline.project, "retry", "--all")[0] == 0
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 2
