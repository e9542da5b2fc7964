"""Results from Redis: what no worker of ours can have made is refused, counted and made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from redis import Redis

from bench.checks.corpus import chunk_task
from exchange.errors import BadRecord
from exchange.planning.planner import Planner, PlanSettings
from exchange.project import Project
from exchange.queue import keys
from exchange.queue.collector import Collector
from exchange.queue.feeder import Feeder
from exchange.queue.reconcile import reconcile
from exchange.queue.redis_endpoint import redis_for
from exchange.records import MAX_RESULT_BYTES, Pair, Task
from exchange.store import schema, tasks
from exchange.store.results import read_result
from exchange.store.spool import Spool
from tests.conftest import fill_spool

TASK = chunk_task("Η γέφυρα κόστισε 240.000 ευρώ.", "Φωνή, 5/1/2008, Τίτλος")
Change = Callable[[dict[str, Any]], object]


def made_of(task: Task, bridge: str = "γέφυρα") -> dict[str, Any]:
    """What a worker sends for a task."""
    question, answer = f"Πόσο κόστισε η {bridge};", "Κόστισε 240.000 ευρώ."
    completion = {
        "task_id": task.id,
        "text": f"Ερώτηση: {question}\nΑπάντηση: {answer}",
        "finish_reason": "stop",
        "tokens_in": 10,
        "tokens_out": 20,
        "seconds": 0.5,
        "model": "a/model",
        "quantisation": "4-bit",
        "engine": "mlx",
        "prompt": "el/chunk",
        "prompt_sha": "00",
        "seed": 7,
        "generated_at": "2026-01-02T03:04:05+00:00",
    }
    pair = {
        "id": Pair.make_id(task.id, question, answer),
        "task_id": task.id,
        "chunk_ids": list(task.chunk_ids),
        "question": question,
        "answer": answer,
        "kind": "quantity",
        "status": "accepted",
        "scores": {"round_trip": 0.9},
    }
    return {
        "task_id": task.id,
        "archive": task.archive,
        "completion": completion,
        "pairs": [pair],
    }


def of(key: str, value: object) -> Change:
    return lambda result: result.__setitem__(key, value)


def of_completion(key: str, value: object) -> Change:
    return lambda result: result["completion"].__setitem__(key, value)


def of_pair(**values: object) -> Change:
    return lambda result: result["pairs"][0].update(values)


def again(result: dict[str, Any]) -> None:
    result["pairs"] *= 2


CHANGES: dict[str, Change] = {
    "another task": of("task_id", "d" * 24),
    "no task": of("task_id", "../x"),
    "another archive": of("archive", "other"),
    "an archive that is a path": of("archive", "../other"),
    "an unknown reason": of("failed", "because"),
    "a reason for a terminal": of("failed", "\x1b[2Jno-pair"),
    "a failure with a kept pair": of("failed", "no-pair"),
    "neither pair nor reason": of("pairs", []),
    "pairs without a reply": of("completion", None),
    "an unknown field": of("more", 1),
    "one pair twice": again,
    "a pair of another task": of_pair(task_id="d" * 24),
    "a pair's id that is none": of_pair(id="x"),
    "a pair's id of other words": of_pair(id="e" * 24),
    "a pair of other chunks": of_pair(chunk_ids=["another"]),
    "a pair of no chunk": of_pair(chunk_ids=[]),
    "a pair without an answer": of_pair(answer=" "),
    "a pair of no kind": of_pair(kind="gossip"),
    "a pair kept for a reason": of_pair(reason="no-digits"),
    "a pair rejected for none": of_pair(status="rejected"),
    "a pair rejected for anything": of_pair(status="rejected", reason="<script>"),
    "a duplicate by its own word": of_pair(duplicate_of="e" * 24),
    "a rephrasing that nobody asked for": of_pair(rephrase_of="e" * 24),
    "a score of any name": of_pair(scores={"\x1b]0;x": 1.0}),
    "a score beyond all": of_pair(scores={"contrast": 1e30}),
    "rules of any name": of_pair(rules="\x07"),
    "a reply to another task": of_completion("task_id", "d" * 24),
    "fewer tokens than none": of_completion("tokens_out", -1),
    "more tokens than there can be": of_completion("tokens_in", 2**60),
    "a time before it began": of_completion("seconds", -1.0),
    "a seed below zero": of_completion("seed", -1),
    "an end of any name": of_completion("finish_reason", "</td>"),
    "a moment that is none": of_completion("generated_at", "yesterday"),
    "a moment of nowhere": of_completion("generated_at", "2026-01-02T03:04:05"),
    "a model with an escape": of_completion("model", "m\x1b[31m"),
    "a model of any length": of_completion("model", "m" * 501),
    "a reply of a megabyte": of_completion("text", "α" * MAX_RESULT_BYTES),
}


def test_what_a_worker_sends_is_taken() -> None:
    assert read_result(orjson.dumps(made_of(TASK)), TASK).pairs[0].question
    for code in ("no-pair", "too-slow", "only-thought", "too-long", "endpoint-429", "poison"):
        failed = {"task_id": TASK.id, "archive": TASK.archive, "failed": code}
        assert read_result(orjson.dumps(failed), TASK).failed == code


@pytest.mark.parametrize("name", CHANGES)
def test_what_none_can_have_made_is_refused(name: str) -> None:
    result = made_of(TASK)
    CHANGES[name](result)
    with pytest.raises(BadRecord):
        read_result(orjson.dumps(result), TASK)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 10**5, b'{"a":' * 10**5, b"\xff", b"null"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        read_result(data, TASK)


@pytest.fixture
def fed(make_project: Callable[..., Project]) -> Iterator[tuple[Redis, Spool]]:
    project = make_project()
    spool = fill_spool(project, 3)
    with redis_for(project) as handle:
        redis = handle.connect()
        assert Feeder(spool, "paper").feed(redis) == 3
        yield redis, spool
        redis.close()
    spool.close()


def queued(spool: Spool) -> list[Task]:
    return list(tasks.load_tasks(spool, "paper", "t.state='queued' ORDER BY t.serial", ()))


def test_refused_results_are_counted_and_their_tasks_made_again(
    fed: tuple[Redis, Spool],
) -> None:
    redis, spool = fed
    first, second, third = queued(spool)
    bad = made_of(first)
    of_pair(id="x")(bad)
    sent = {
        first.id: orjson.dumps(bad),
        second.id: orjson.dumps(made_of(first)),  # stored under another task's id
        third.id: orjson.dumps(made_of(third)),
        "f" * 24: orjson.dumps(made_of(third)),  # of a task that nobody asked for
        "../x": b"{}",
        "α": b"{}",
    }
    redis.hset(keys.result("paper"), mapping=sent)
    redis.delete("rq:queue:generate")  # their jobs have ended, as far as Redis knows
    assert Collector(spool, "paper").collect(redis) == 1
    assert not redis.exists(keys.result("paper"))
    counters = spool.counters()
    assert counters[tasks.REFUSED] == 2 and counters["tasks.done"] == 1
    assert counters["pairs.accepted"] == 1
    assert [reconcile(redis, spool, "paper") for _ in range(2)] == [0, 2]
    assert spool.counters()["tasks.new"] == 2


@pytest.mark.parametrize("change", [of_pair(id="x"), of_pair(chunk_ids=[])])
def test_a_store_that_holds_such_a_row_already_still_starts(
    make_project: Callable[..., Project], change: Change
) -> None:
    """An id that is none ended the daemon with a traceback, and every one after it."""
    project = make_project()
    recipe = replace(project.recipe(), kinds={"rephrase": "aaaaaa", "refusal": "bbbbbb"})
    plan = PlanSettings(refusal=0.25, correction=0.25, rephrase=0.5)
    spool = fill_spool(project, 3)
    tasks.claim(spool, "paper", 3)
    bad, good, _ = queued(spool)
    result = made_of(bad)
    change(result)
    old = [tasks.Result.from_dict(one) for one in (result, made_of(good, "σήραγγα του Πηλίου"))]
    tasks.finish(spool, old)
    if result["pairs"][0]["id"] == "x":
        with pytest.raises(ValueError, match="invalid literal"):
            Planner("paper", recipe, plan).run(spool)
    spool.db.execute("PRAGMA user_version=5")
    spool.close()
    spool = Spool.open(project.archive_dir())
    counters = spool.counters()
    assert counters[f"rejected.{schema.BAD_RECORD}"] == counters["pairs.rejected"] == 1
    assert counters["tasks.new"] == counters["tasks.done"] == 1
    (kept,) = list(spool.pairs("rejected"))
    assert kept[0].question == result["pairs"][0]["question"]
    Planner("paper", recipe, plan).run(spool)
    assert tasks.finish(spool, [tasks.Result.from_dict(made_of(bad))]) == 1
    assert {pair.id for pair, _ in spool.pairs()} >= {made_of(bad)["pairs"][0]["id"]}
    assert spool.counters()["pairs.accepted"] == 2
    spool.close()
