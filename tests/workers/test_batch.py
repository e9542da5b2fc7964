"""Batch files: out, through an engine, and in again; whatever happens to them on the way."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange.lock import FileLock
from exchange.project import Project
from exchange.records import Pair, Result
from exchange.store import requests, tasks
from exchange.store.spool import Spool
from tests.conftest import fill_spool, run_cli, until, write_project
from tests.exchange.store.test_spool import counted
from tests.workers.conftest import pipeline_in
from tests.workers.endpoint import Endpoint, answer_about
from tests.workers.test_verification import reply as reply_read_back
from workers.batch.lines import BadRequest, error_code, read_request

MakeProject = Callable[..., Project]


@contextmanager
def spool_of(project: Project, archive: str = "paper") -> Iterator[Spool]:
    spool = Spool.read(project.archive_dir(archive))
    try:
        yield spool
    finally:
        spool.close()


def pairs_of(project: Project) -> dict[str, Pair]:
    with spool_of(project) as spool:
        assert spool.counters() == counted(spool)
        rows = spool.db.execute("SELECT record FROM pairs").fetchall()
        return {pair.id: pair for pair in (Pair.from_json(row[0]) for row in rows)}


def cli(project: Project, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_cli(*words, cwd=project.data.parent, **environment)


def ask(project: Project, folder: str, *flags: str) -> list[dict[str, Any]]:
    """Write the open tasks as requests, and read them again."""
    done = cli(project, "work", "--batch-out", folder, *flags)
    assert done.returncode == 0, done.stderr
    files = sorted((project.data.parent / folder).glob("*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def reply_to(request: dict[str, Any], text: str | None = None, **body: Any) -> dict[str, Any]:
    prompt = request["body"]["messages"][-1]["content"]
    message = {"role": "assistant", "content": answer_about(prompt) if text is None else text}
    completion = {
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        **body,
    }
    response = {"status_code": 200, "request_id": "r", "body": completion}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def write_lines(project: Project, lines: list[Any], name: str = "replies.jsonl") -> str:
    raw = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
    (project.data.parent / name).write_bytes(b"\n".join(raw) + b"\n")
    return name


def served(endpoint: Endpoint) -> dict[str, str]:
    return {"KKORACLE_WORK_ENGINE": "openai", "KKORACLE_WORK_URL": endpoint.url}


def test_out_and_in_again_gives_the_pairs_of_the_queue(
    make_project: MakeProject, tmp_path: Path, tiny_model: Path, popen: Callable[..., Any]
) -> None:
    project = make_project()
    fill_spool(project, 40).close()
    asked = ask(project, "batch", "--batch-size", "15")
    assert len({line["custom_id"] for line in asked}) == 40
    manifest = orjson.loads((tmp_path / "batch/manifest.json").read_bytes())
    assert [file["requests"] for file in manifest["files"]] == [15, 15, 10]
    assert manifest["requests"] == {"chunk": 40}
    with Endpoint() as endpoint:
        done = cli(project, "batch", "run", "batch", "replies", **served(endpoint))
        assert done.returncode == 0, done.stderr
        assert endpoint.bodies[0]["messages"] in [line["body"]["messages"] for line in asked]
    taken = cli(project, "work", "--batch-in", *map(str, sorted((tmp_path / "replies").iterdir())))
    assert taken.returncode == 0 and "40 tasks closed by 40 lines" in taken.stdout, taken.stderr
    other = tmp_path / "queue"
    other.mkdir()
    queue = write_project(other, tiny_model)
    with pipeline_in(queue, 40, Endpoint(), popen) as pipeline:
        pipeline.start_worker("--burst").wait(60)
        pipeline.until_done()
    assert pairs_of(project) == pairs_of(queue)
    assert len(pairs_of(project)) == 40
    assert not list(project.archive_dir().glob("batch-*"))


def test_what_is_lost_doubled_shuffled_or_hostile_is_counted_and_nothing_doubled(
    make_project: MakeProject,
) -> None:
    project = make_project()
    spool = fill_spool(project, 30)
    fill_spool(project, 2, archive="other").close()
    with spool.transaction() as db:
        db.execute("UPDATE tasks SET state='stale' WHERE serial=30")
    asked = ask(project, "batch")
    assert len(asked) == 29
    with spool.transaction() as db:
        db.execute("UPDATE tasks SET state='stale' WHERE serial=29")
        elsewhere = "SELECT id FROM tasks WHERE serial=30"
        withdrawn = str(db.execute(elsewhere).fetchone()[0])
    spool.close()
    with spool_of(project, "other") as other:
        foreign = str(other.db.execute("SELECT id FROM tasks LIMIT 1").fetchone()[0])
    good = [reply_to(line) for line in asked[:12]]
    known = asked[12]
    refused = {
        "custom_id": known["custom_id"],
        "response": None,
        "error": {"code": "batch_expired"},
    }
    limited = reply_to(asked[17])
    limited["response"] = {"status_code": 429, "body": {"error": {"message": "slow down"}}}
    too_long = reply_to(asked[13])
    too_long["response"] = {
        "status_code": 400,
        "body": {"error": {"message": "This model's maximum context length is 8192 tokens"}},
    }
    lines: list[Any] = [
        *good,
        *good[:5],
        refused,
        limited,
        too_long,
        {**good[0], "custom_id": foreign},
        {**good[0], "custom_id": withdrawn},
        {**good[0], "custom_id": asked[28]["custom_id"]},
        {**good[0], "custom_id": "a" * 24},
        {**good[0], "custom_id": "verify-" + "b" * 24},
        {**good[0], "custom_id": "../../etc/passwd"},
        {**good[0], "custom_id": 7},
        reply_to(asked[14], "x" * 10_000),
        reply_to(asked[15], choices="none"),
        reply_to(asked[16], choices=[{"message": {"content": ["not", "text"]}}]),
        b"not json",
        b"[" * 5000,
        b'{"custom_id": "' + b"c" * 5_000_000 + b'"}',
        b"\xff\xfe\x00",
        b"",
    ]
    random.Random(3).shuffle(lines)
    taken = cli(project, "work", "--batch-in", write_lines(project, lines))
    assert taken.returncode == 0, taken.stderr
    told = taken.stdout.partition("set aside: ")[2].strip().split(", ")
    assert dict(one.rsplit(" ", 1) for one in told) == {
        "repeated": "5",
        "endpoint-batch-expired": "1",
        "endpoint-429": "1",
        "other-archive": "1",
        "stale-task": "2",
        "unknown-task": "2",
        "no-custom-id": "2",
        "reply-too-long": "1",
        "bad-reply": "2",
        "not-json": "3",
        "line-too-long": "1",
    }
    pairs = pairs_of(project)
    assert len(pairs) == 12 and {pair.status for pair in pairs.values()} == {"accepted"}
    with spool_of(project) as spool:
        counters = spool.counters()
        assert (counters["tasks.done"], counters["failed.too-long"]) == (12, 1)
    again = cli(project, "work", "--batch-in", "replies.jsonl")
    assert "0 tasks closed" in again.stdout and "already-done 13" in again.stdout
    assert pairs_of(project) == pairs
    rest = ask(project, "rest")  # what was lost is asked for once more
    assert {line["custom_id"] for line in rest} == {line["custom_id"] for line in asked[12:28]} - {
        asked[13]["custom_id"]
    }


def test_a_file_that_is_hardly_ours_is_no_success(make_project: MakeProject) -> None:
    project = make_project()
    fill_spool(project, 3).close()
    asked = ask(project, "batch")
    others = [{**reply_to(asked[0]), "custom_id": f"{number:024x}"} for number in range(5)]
    taken = cli(project, "work", "--batch-in", write_lines(project, [reply_to(asked[0]), *others]))
    assert taken.returncode == 1 and "1 tasks closed" in taken.stdout
    assert "are these the replies to its own requests" in taken.stderr


def test_half_a_file_closes_half_and_a_cut_line_costs_itself(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project()
    fill_spool(project, 20).close()
    whole = b"\n".join(orjson.dumps(reply_to(line)) for line in ask(project, "batch"))
    (tmp_path / "half.jsonl").write_bytes(whole[: len(whole) // 2])
    taken = cli(project, "work", "--batch-in", "half.jsonl")
    assert taken.returncode == 0 and "not-json 1" in taken.stdout
    with spool_of(project) as spool:
        closed = spool.counters()["tasks.done"]
    assert 8 <= closed <= 10 and f"{closed} tasks closed" in taken.stdout
    (tmp_path / "all.jsonl").write_bytes(whole)
    rest = cli(project, "work", "--batch-in", "all.jsonl")
    assert f"{20 - closed} tasks closed" in rest.stdout and f"already-done {closed}" in rest.stdout
    assert len(pairs_of(project)) == 20


def test_a_running_daemon_takes_the_replies_over_and_its_queue_loses_those_tasks(
    make_project: MakeProject, open_pipeline: Callable[..., Any]
) -> None:
    with open_pipeline(30) as pipeline, FileLock(pipeline.project.archive_dir() / "daemon.lock"):
        project = pipeline.project
        pipeline.until(lambda: len(pipeline.redis.keys("kk:paper:task:*")) == 30)
        asked = ask(project, "batch")
        assert len(asked) == 30  # what waits in the queue is open as well
        name = write_lines(project, [reply_to(line) for line in asked[:20]])
        taken = cli(project, "work", "--batch-in", name)
        assert taken.returncode == 0, taken.stderr
        assert pipeline.counters()["tasks.done"] == 20
        pipeline.until(lambda: len(pipeline.redis.keys("kk:paper:task:*")) == 10)
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["tasks.done"] == 30
        assert pipeline.requests() == 10
    assert len(pairs_of(project)) == 30


def test_a_staged_file_is_believed_no_more_than_redis(make_project: MakeProject) -> None:
    project = make_project()
    spool = fill_spool(project, 3)
    directory = project.archive_dir()
    waiting = list(tasks.pages_of_open_tasks(spool, "paper", "chunk", project.recipe().id))
    spool.close()
    forged = Result(waiting[0].id, "other", "no-pair").to_json()
    (directory / "batch-00000000.jsonl").write_bytes(forged + b"\nnonsense\n")
    assert requests.submit_request(directory, "batch-00000000.jsonl", kind=requests.BATCH) == 0
    for name in ("../spool.sqlite", "batch-1.jsonl", "batch-11111111.jsonl"):
        with pytest.raises(Exception, match="holds no results"):
            requests.submit_request(directory, name, kind=requests.BATCH)
    with spool_of(project) as spool:
        counters = spool.counters()
        assert counters["tasks.new"] == 3 and counters["results.refused"] == 1


def test_pairs_are_read_back_by_a_second_batch(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("verify = true\n")
    fill_spool(project, 12).close()
    first = ask(project, "first")
    cli(project, "work", "--batch-in", write_lines(project, [reply_to(line) for line in first]))
    assert all(not pair.scores for pair in pairs_of(project).values())
    second = ask(project, "second")
    assert all(line["custom_id"].startswith("verify-") for line in second) and len(second) == 12
    content = second[0]["body"]["messages"][-1]["content"]
    told = {line["body"]["messages"][-1]["content"] for line in first}
    assert any(content.startswith(one) for one in told)  # a server has read the chunk already
    lines = [
        reply_to(line, reply_read_back(line["body"]["messages"][-1]["content"])) for line in second
    ]
    taken = cli(project, "work", "--batch-in", write_lines(project, [*lines, *lines]))
    assert "12 pairs read back" in taken.stdout and "likelihoods" in taken.stdout, taken.stderr
    found = pairs_of(project).values()
    assert {one for pair in found for one in pair.scores} == {"round_trip"}
    assert sorted(pair.scores["round_trip"] for pair in found) == [0.0] * 6 + [1.0] * 6
    none = cli(project, "work", "--batch-out", "third")
    assert none.returncode == 1 and "no task of paper is open" in none.stderr


def test_the_runner_goes_on_where_it_was_killed(
    make_project: MakeProject, tmp_path: Path, popen: Callable[..., Any]
) -> None:
    project = make_project()
    fill_spool(project, 30).close()
    ask(project, "batch")
    source = tmp_path / "batch/requests-00000.jsonl"
    with Endpoint(delay=0.15) as endpoint:
        command = ("-m", "kkoracle", "batch", "run", str(source), "out.jsonl")
        killed = popen(*command, cwd=tmp_path, **served(endpoint))
        partial = tmp_path / "out.jsonl.partial"
        until(lambda: partial.exists() and partial.read_bytes().count(b"\n") >= 6, 30, killed)
        killed.kill()
        killed.wait()
        with partial.open("ab") as file:
            file.write(b'{"id": "kk-29-')  # a line that was cut
        stopped = popen(*command, cwd=tmp_path, KKORACLE_WORK_GRACE_S="5", **served(endpoint))
        before = partial.read_bytes().count(b"\n")
        until(lambda: partial.read_bytes().count(b"\n") > before, 30, stopped)
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(20) == 3
        done = run_cli(*command[2:], cwd=tmp_path, **served(endpoint))
        assert done.returncode == 0, done.stderr
        # Twice at most what was under way as it was killed.
        assert sum(endpoint.asked.values()) <= 30 + 12
    replies = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    asked = [orjson.loads(line) for line in source.read_bytes().splitlines()]
    assert sorted(one["custom_id"] for one in replies) == sorted(one["custom_id"] for one in asked)
    again = run_cli(*command[2:], cwd=tmp_path, KKORACLE_WORK_ENGINE="openai")
    assert again.returncode != 0 or "there already" in again.stdout


def test_our_own_engine_answers_and_refuses_what_it_does_not_do(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project()
    fill_spool(project, 6).close()
    asked = ask(project, "batch")
    model = asked[0]["body"]["model"]
    odd = [
        {**asked[0], "custom_id": "tools", "body": {**asked[0]["body"], "tools": []}},
        {**asked[0], "custom_id": "long", "body": {**asked[0]["body"], "max_tokens": 5000}},
        b"nonsense",
    ]
    write_lines(project, [*asked, *odd], "in.jsonl")
    done = cli(project, "batch", "run", "in.jsonl", "out.jsonl")
    assert done.returncode == 0 and "6 replies; 3 refused" in done.stdout, done.stderr
    replies = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    status = {one["custom_id"]: one["response"]["status_code"] for one in replies}
    assert status == {
        **{one["custom_id"]: 200 for one in asked},
        "tools": 400,
        "long": 400,
        "": 400,
    }
    long = next(one for one in replies if one["custom_id"] == "long")
    assert error_code(long["response"]["body"], 400) == "too-long"
    whole = next(one for one in replies if one["custom_id"] == asked[0]["custom_id"])
    assert whole["response"]["body"]["model"] == model
    assert whole["response"]["body"]["usage"]["completion_tokens"] > 0
    other = [{**one, "body": {**one["body"], "model": "another"}} for one in asked]
    write_lines(project, other, "other.jsonl")
    refused = cli(project, "batch", "run", "other.jsonl", "other-out.jsonl")
    assert refused.returncode == 2 and "'another'" in refused.stderr


def test_a_folder_that_holds_something_is_left_alone(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project()
    fill_spool(project, 2).close()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("kept")
    refused = cli(project, "work", "--batch-out", "mine")
    assert refused.returncode == 2 and "name a new folder" in refused.stderr
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    for words in (("--batch-in", "none.jsonl"), ("--batch-in", "mine")):
        missing = cli(project, "work", *words)
        assert missing.returncode == 1 and len(missing.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"max_tokens": 0},
        {"max_tokens": "many"},
        {"temperature": 9},
        {"temperature": "hot"},
        {"top_p": 0},
        {"seed": "x"},
        {"n": 2},
    ],
)
def test_a_request_for_more_than_text_is_refused_by_name(change: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body}
    assert read_request(orjson.dumps(line)).custom_id == "one"
    with pytest.raises(BadRequest) as caught:
        read_request(orjson.dumps({**line, "body": {**body, **change}}))
    assert caught.value.custom_id == "one"
