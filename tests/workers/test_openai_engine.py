"""The openai engine: patient with an endpoint that stumbles, clear about a wrong setting."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rq import Worker

from exchange.errors import UserError
from exchange.inference import openai_engine, openai_replies
from exchange.inference.engine import Engine, RequestOutput
from exchange.inference.mlx.engine import MlxEngine
from exchange.inference.openai_engine import OpenAIEngine
from exchange.recipes.prompts import load_prompt
from tests.conftest import cli_environment
from tests.kkoracle.cli import test_dashboard as dashboard
from tests.workers.endpoint import Endpoint, Said, answer_about

TOKENS = 24
KEY = "sk-topsecret"


def opened(url: str, *, width: int = 4, temperature: float = 0.0, **more: str) -> OpenAIEngine:
    settings = {"name": "some/model", "served_as": "", "api_key": KEY, **more}
    return OpenAIEngine(url, width=width, temperature=temperature, top_p=0.9, **settings)


def ask(text: str) -> list[dict[str, str]]:
    return load_prompt("el/chunk-brief").messages("Φωνή, 5/1/2008, Τίτλος", text)


def run(engine: Engine, count: int, first: int = 0, seconds: float = 30) -> list[RequestOutput]:
    """`count` requests to their end, in the order of their tickets."""
    tickets = {engine.submit(ask(f"Αριθμός {first + n}."), TOKENS, n) for n in range(count)}
    done: dict[int, RequestOutput] = {}
    deadline = time.monotonic() + seconds
    while tickets - set(done):
        assert time.monotonic() < deadline, "a request never ended"
        done |= {finished.ticket: finished for finished in engine.step()}
    return [done[ticket] for ticket in sorted(done)]


def greek(text: str) -> str:
    return "".join(letter for letter in text if "Ͱ" <= letter <= "Ͽ")


def test_as_many_requests_are_in_flight_as_the_width_says() -> None:
    with Endpoint(delay=0.1) as endpoint, closing(opened(endpoint.url, width=3)) as engine:
        assert [done.text for done in run(engine, 9)] == [
            answer_about(f"Αριθμός {n}.") for n in range(9)
        ]
        assert endpoint.most_together == 3
        assert endpoint.keys_seen == {f"Bearer {KEY}"}


def test_a_seed_is_sent_only_where_it_matters() -> None:
    with Endpoint() as endpoint:
        with closing(opened(endpoint.url)) as greedy:
            run(greedy, 1)
        with closing(opened(endpoint.url, temperature=0.7)) as sampling:
            run(sampling, 2)
    without, *drawn = endpoint.bodies
    assert "seed" not in without and without["temperature"] == 0 and without["max_tokens"] == TOKENS
    assert sorted(body["seed"] for body in drawn) == [0, 1]
    assert {(body["temperature"], body["top_p"]) for body in drawn} == {(0.7, 0.9)}


def test_thinking_is_switched_off_and_an_endpoint_without_the_switch_is_asked_without() -> None:
    refusal = b'{"error": {"message": "Unrecognized request argument: chat_template_kwargs"}}'
    with Endpoint() as endpoint, closing(opened(endpoint.url, width=1)) as engine:
        assert run(engine, 1)[0].text
        endpoint.script = [(400, refusal, {})]
        assert [done.error for done in run(engine, 2)] == ["", ""]
        sent = [body.get(openai_replies.SWITCH) for body in endpoint.bodies]
    off = {"enable_thinking": False, "thinking": False}
    assert sent == [off, off, None, None]


def test_a_busy_endpoint_is_asked_again_when_it_says() -> None:
    with Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        endpoint.script = [(429, b"slow down", {"Retry-After": "2"})]
        assert [done.error for done in run(engine, 1)] == [""]
        first, second = endpoint.times
        assert second - first >= 2


def test_requests_in_flight_outlive_a_restart_of_the_endpoint() -> None:
    first = Endpoint(delay=0.4)
    with first:
        engine = opened(first.url)
        tickets = {engine.submit(ask(f"Αριθμός {n}."), TOKENS, 0) for n in range(8)}
        while not first.asked:
            engine.step()
    with Endpoint(port=first.port), closing(engine):
        done: set[int] = set()
        deadline = time.monotonic() + 120  # pauses double while nobody answers
        while done != tickets:
            assert time.monotonic() < deadline
            ended = engine.step()
            assert not any(finished.error for finished in ended)
            done |= {finished.ticket for finished in ended}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((401, b'{"error": {"message": "bad key sk-topsecret"}}', {}), "KKORACLE_WORK_API_KEY"),
        ((404, b'{"error": "no such model"}', {}), "served_as"),
        ((302, b"", {"Location": "http://127.0.0.1:9/"}), "[work] url"),
        ((405, b"", {}), "[work] url"),
    ],
)
def test_what_every_request_would_meet_is_one_line_and_costs_no_task(
    said: Said, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        endpoint.script = [said]
        with pytest.raises(UserError) as caught:
            run(engine, 1)
        assert told in str(caught.value) and "\n" not in str(caught.value)
        assert KEY not in str(caught.value) and KEY not in caplog.text


def test_a_key_is_not_carried_to_another_address() -> None:
    with Endpoint() as thief, Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        there = f"{thief.url}/chat/completions"
        endpoint.script = [(307, b"", {"Location": there})]
        with pytest.raises(UserError, match="307"):
            run(engine, 1)
        assert not thief.keys_seen and not thief.bodies


def test_a_prompt_that_is_too_long_fails_alone() -> None:
    said = b'{"error": {"message": "This model\'s maximum context length is 4096 tokens."}}'
    with Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        endpoint.script = [(400, said, {})]
        assert sorted(done.error for done in run(engine, 3)) == ["", "", "too-long"]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": ["a"]}}]}',
        b"[1" * 3_000_000,
    ],
)
def test_nonsense_fails_one_request_and_nothing_but_nonsense_ends_the_engine(body: bytes) -> None:
    with Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        run(engine, 1)
        endpoint.script = [(200, body, {})]
        assert [done.error for done in run(engine, 1)] == ["endpoint-bad-reply"]
        assert [done.error for done in run(engine, 1)] == [""]
    with Endpoint() as endpoint, closing(opened(endpoint.url)) as engine:
        endpoint.script = [(200, body, {})] * openai_engine.REFUSALS
        with pytest.raises(UserError, match="served none"):
            run(engine, openai_engine.REFUSALS)
            engine.step()


def test_numbers_and_reasons_that_are_none_are_not_believed() -> None:
    found = openai_replies.parse(
        b'{"choices": [{"message": {"content": null}, "finish_reason": "<b>"}],'
        b' "usage": {"prompt_tokens": -5, "completion_tokens": "many"}}'
    )
    assert found == openai_replies.ChatCompletion("", "other", 0, 0)


def test_the_words_of_a_refusal_are_one_short_line() -> None:
    said = openai_replies.error_message(
        b'{"error": {"message": "a\\u001b[31m\\nb' + b"c" * 999 + b'"}}'
    )
    assert said.startswith("a bc") and len(said) == 160


def test_nothing_at_the_address_is_one_line() -> None:
    with pytest.raises(UserError, match="start the endpoint"):
        opened("http://127.0.0.1:9/v1")


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """mlx-lm's own server, as a person starts it."""
    home = tmp_path_factory.mktemp("hub")
    (home / "hub").mkdir()
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlx_lm",
        "server",
        "--model",
        str(tiny_model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = cli_environment(HF_HOME=str(home), HF_HUB_OFFLINE="1")
    log = (home / "log").open("wb")
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_a_real_server_says_what_the_mlx_engine_says(server: str, tiny_model: Path) -> None:
    mlx = MlxEngine(tiny_model, name="tiny", width=4)
    with closing(opened(server, name=str(tiny_model))) as engine:
        there, here = run(engine, 6), run(mlx, 6)
    # Random weights write stray bytes too, which the server's streaming decoder spells otherwise.
    assert [greek(done.text) for done in there] == [greek(done.text) for done in here]
    assert [done.tokens_in for done in there] == [done.tokens_in for done in here]
    assert not any(done.error for done in there)


def test_a_real_server_that_does_not_know_the_model_is_one_line(server: str) -> None:
    with (
        closing(opened(server, served_as="nobody/nothing")) as engine,
        pytest.raises(UserError, match="served_as"),
    ):
        run(engine, 1)


def test_a_worker_with_mlx_and_one_with_an_endpoint_share_a_queue(
    open_pipeline: Callable[..., object], server: str, tiny_model: Path
) -> None:
    with open_pipeline(40) as pipeline:
        pipeline.until(lambda: pipeline.counters().get("tasks.queued", 0) == 40)
        for name, engine in (("endpoint", "openai"), ("here", "mlx")):
            pipeline.popen(
                "-m",
                "workers.run",
                cwd=pipeline.folder,
                KKORACLE_WORKER_REDIS=pipeline.url,
                KKORACLE_WORK_ENGINE=engine,
                KKORACLE_WORK_URL=server,
                KKORACLE_WORKER_NAME=name,
            )
        pipeline.until(
            lambda: {w.name for w in Worker.all(pipeline.redis)} == {"endpoint", "here"}, 60
        )
        _, listed = dashboard.get(f"{dashboard.start(pipeline)}/0/data/workers.json")
        assert {worker["name"] for worker in json.loads(listed)["workers"]} == {"endpoint", "here"}
        counters = pipeline.until_done()
        assert counters.get("tasks.done", 0) + counters.get("tasks.failed", 0) == 40
        assert counters["tasks.failed"] == counters["failed.no-pair"]  # random weights
        pipeline.until(lambda: not pipeline.redis.keys("kk:*:task:*"))
        done = {
            w.name: w.successful_job_count + w.failed_job_count for w in Worker.all(pipeline.redis)
        }
        assert sum(done.values()) == 40  # no task twice
