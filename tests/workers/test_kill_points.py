"""Killed at any point of a job's life: each task ends done, once, and is asked for no more than
it has to be. One worker dies at each point, the daemon too; then a healthy pair finishes all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exchange.queue import keys
from exchange.queue.redis_endpoint import RedisEndpoint
from exchange.store.spool import Spool
from tests.conftest import processes, write_project
from tests.workers import dying
from tests.workers.conftest import Pipeline, make_pump, pipeline_in
from tests.workers.endpoint import Endpoint, number_of

POINTS = [point.__name__ for point in dying.POINTS]
TASKS = 80
NEVER_ASKED = {"popped", "leased"}
RESULT_IS_KEPT = {"result_set", "acknowledged", "collected"}


@dataclass
class Lives:
    """What each victim had in hand, and how it all ended."""

    in_hand: dict[str, list[str]]
    states: dict[str, str]  # of a task
    pairs: dict[str, int]  # stored for a task
    asked: dict[str, int]  # how often the engine was asked for a task
    counters: dict[str, int]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Lives]:
    project = write_project(tmp_path_factory.mktemp("lives"), tiny_model)
    with processes() as popen, pipeline_in(project, TASKS, Endpoint(delay=0.1), popen) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == TASKS)
        pipeline.pump.stop()  # so that results stay where the victims left them
        victims = [kill_at(pipeline, point) for point in POINTS]
        for victim in victims:
            assert victim.wait(30) == -9
        assert kill_at(pipeline, "collected").wait(30) == -9
        in_hand = {
            point: notes(pipeline, point).read_text().split() for point in [*POINTS, "collected"]
        }
        pipeline.pump = make_pump(project, RedisEndpoint(pipeline.url, ""))
        pipeline.pump.start()
        pipeline.start_worker("--burst")
        counters = pipeline.until_done()
        time.sleep(1)  # whatever would come twice would come now
        assert pipeline.counters() == counters
        yield look(pipeline, in_hand, counters)


def kill_at(pipeline: Pipeline, point: str):  # type: ignore[no-untyped-def]
    return pipeline.popen(
        "-m",
        "tests.workers.dying",
        point,
        str(notes(pipeline, point)),
        cwd=pipeline.folder,
        KKORACLE_WORKER_REDIS=pipeline.url,
        KKORACLE_WORK_ENGINE="openai",
        KKORACLE_WORK_WIDTH="1",
        KKORACLE_WORK_URL=pipeline.endpoint.url,
    )


def notes(pipeline: Pipeline, point: str) -> Path:
    return pipeline.folder / f"{point}.txt"


def look(pipeline: Pipeline, in_hand: dict[str, list[str]], counters: dict[str, int]) -> Lives:
    spool = Spool.read(pipeline.project.archive_dir())
    states = {row["id"]: row["state"] for row in spool.db.execute("SELECT id, state FROM tasks")}
    pairs = dict(
        spool.db.execute("SELECT task_id, COUNT(*) FROM pairs GROUP BY task_id").fetchall()
    )
    texts = {chunk.id: chunk.text for chunk in spool.chunks()}
    subjects = dict(spool.db.execute("SELECT id, subject FROM tasks").fetchall())
    spool.close()
    asked = {
        task: pipeline.endpoint.asked[number_of(texts[subject])]
        for task, subject in subjects.items()
    }
    return Lives(in_hand, states, pairs, asked, counters)


@pytest.mark.parametrize("point", [*POINTS, "collected"])
def test_a_kill_loses_nothing_and_stores_nothing_twice(lives: Lives, point: str) -> None:
    ids = lives.in_hand[point]
    assert ids
    assert {lives.states[task] for task in ids} == {"done"}
    assert {lives.pairs[task] for task in ids} == {1}


@pytest.mark.parametrize("point", [*POINTS, "collected"])
def test_a_kill_costs_no_more_generation_than_it_must(lives: Lives, point: str) -> None:
    most = 1 if point in NEVER_ASKED | RESULT_IS_KEPT else 2
    assert {lives.asked[task] for task in lives.in_hand[point]} <= set(range(1, most + 1))


def test_all_the_others_are_done_too(lives: Lives) -> None:
    assert lives.counters["tasks.done"] == TASKS
    assert sum(lives.pairs.values()) == TASKS and "tasks.failed" not in lives.counters


def test_a_kill_inside_maintenance_is_recovered_from_within_30_seconds(
    tmp_path: Path, tiny_model: Path
) -> None:
    project = write_project(tmp_path, tiny_model)
    with processes() as popen, pipeline_in(project, 12, Endpoint(), popen) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued") == 12)
        assert kill_at(pipeline, "leased").wait(20) == -9
        assert kill_at(pipeline, "maintaining").wait(20) == -9
        assert pipeline.redis.exists("rq:clean_registries:generate")  # its lock is left behind
        killed = time.monotonic()
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 12
        assert time.monotonic() - killed < 30
        pipeline.until(lambda: not pipeline.redis.exists(keys.SUSPECT))
