"""The endpoint as its clients meet it: a real server of a trained run, asked over loopback."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from exchange.inference.openai_engine import OpenAIEngine
from exchange.lock import FileLock
from tests.conftest import processes, until
from tests.trainer.conftest import ONE_THREAD, Desk
from trainer.dataset import DatasetRow, read_split

LONG = 1500  # tokens: an answer that takes a while


class Server:
    """A running `kkoracle serve`."""

    def __init__(self, process: subprocess.Popen[str], key: str = "") -> None:
        self.process = process
        self.key = key
        assert process.stdout
        self.url, self.said = "", ""
        while not self.url:
            line = process.stdout.readline()
            assert line, self.said
            self.said += line
            found = re.search(r"http://127\.0\.0\.1:(\d+)/v1", line)
            self.url = found[0] if found else ""
        self.port = int(self.url.split(":")[2].split("/")[0])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(
        self, path: str = "/v1/chat/completions", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of one request; a body that is bytes goes as it is."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        known = {"Content-Type": "application/json"} | headers
        if self.key:
            known.setdefault("Authorization", f"Bearer {self.key}")
        with closing(self.connect()) as connection:
            connection.request("POST" if data is not None else "GET", path, data, known)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

    def chat(self, question: str, **more: Any) -> dict[str, Any]:
        status, said = self.ask(body=chat(question, **more))
        assert status == 200, said
        answer: dict[str, Any] = said
        return answer

    def text(self, question: str, **more: Any) -> str:
        said: str = self.chat(question, **more)["choices"][0]["message"]["content"]
        return said

    def stream(self, question: str, **more: Any) -> list[dict[str, Any]]:
        with closing(self.connect()) as connection:
            body = json.dumps(chat(question, stream=True, **more))
            connection.request(
                "POST", "/v1/chat/completions", body, {"Content-Type": "application/json"}
            )
            reply = connection.getresponse()
            assert reply.getheader("Content-Type") == "text/event-stream"
            events = [line.removeprefix("data: ") for line in reply.read().decode().split("\n\n")]
        assert events[-2:] == ["[DONE]", ""]
        return [json.loads(event) for event in events[:-2]]


def chat(question: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], "max_tokens": 40} | more


def start(
    desk: Desk, popen: Callable[..., subprocess.Popen[str]], *arguments: str, **environment: str
) -> Server:
    process = popen(
        "-m",
        "kkoracle",
        "serve",
        "--port",
        "0",
        *arguments,
        cwd=desk.folder,
        **ONE_THREAD,
        **environment,
    )
    return Server(process, environment.get("KKORACLE_SERVE_API_KEY", ""))


@pytest.fixture(scope="module")
def server(trained: Desk) -> Iterator[Server]:
    with processes() as popen:
        yield start(trained, popen)


@pytest.fixture(scope="module")
def taught(trained: Desk) -> list[DatasetRow]:
    return read_split(trained.dataset, "train")[:8]


# -- answers ---------------------------------------------------------------------------------


def test_tuned_knows_what_it_was_taught_and_base_does_not(
    server: Server, taught: list[DatasetRow]
) -> None:
    right = {
        name: sum(server.text(row.question, model=name) == row.answer for row in taught)
        for name in ("tuned", "base")
    }
    assert right["tuned"] >= 6 and right["base"] == 0


def test_both_models_are_listed_and_known_by_their_own_names(server: Server, trained: Desk) -> None:
    status, listed = server.ask("/v1/models")
    assert status == 200 and [one["id"] for one in listed["data"]] == ["tuned", "base"]
    assert server.ask("/v1/models/base")[1]["object"] == "model"
    question = "Ποιος ήταν;"
    assert server.text(question, model=str(trained.model)) == server.text(question, model="base")
    assert server.text(question, model="default") == server.text(question)


def test_many_at_once_are_answered_as_if_each_were_alone(
    server: Server, taught: list[DatasetRow]
) -> None:
    asked = [(row.question, model) for row in taught for model in ("tuned", "base")]
    alone = [server.text(question, model=model) for question, model in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda one: server.text(one[0], model=one[1]), asked))
    assert together == alone


def test_a_stream_says_the_same_in_pieces(server: Server, taught: list[DatasetRow]) -> None:
    question = taught[0].question
    whole = server.chat(question)
    chunks = server.stream(question, stream_options={"include_usage": True})
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    pieces = [one["choices"][0]["delta"].get("content", "") for one in chunks[:-1]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert sum(bool(piece) for piece in pieces) > 3
    assert chunks[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["usage"]["total_tokens"] == sum(
        whole["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )


def test_a_conversation_that_goes_on_is_answered_as_if_read_anew(
    server: Server, taught: list[DatasetRow]
) -> None:
    turns = [
        {"role": "user", "content": taught[0].question},
        {"role": "assistant", "content": taught[0].answer},
        {"role": "user", "content": taught[1].question},
    ]
    first = server.ask(body={"messages": turns[:1], "max_tokens": 40})
    again, fresh = (server.ask(body={"messages": turns, "max_tokens": 40}) for _ in range(2))
    assert first[0] == again[0] == 200
    assert again[1]["choices"] == fresh[1]["choices"]


def test_an_answer_ends_at_a_stop_text_or_at_its_longest(
    server: Server, taught: list[DatasetRow]
) -> None:
    whole = server.text(taught[0].question)
    middle = whole[len(whole) // 2 :][:4]
    cut = server.chat(taught[0].question, stop=["ουδέποτε", middle])
    assert cut["choices"][0]["message"]["content"] == whole.partition(middle)[0]
    assert cut["choices"][0]["finish_reason"] == "stop"
    short = server.chat(taught[0].question, max_completion_tokens=2, max_tokens=None)
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] == 2


def test_a_seed_repeats_what_was_drawn_whoever_is_beside(
    server: Server, taught: list[DatasetRow]
) -> None:
    def draw(seed: int) -> str:
        return server.text("Πες κάτι.", model="base", temperature=1.5, top_p=0.95, seed=seed)

    first = draw(7)
    with ThreadPoolExecutor(6) as pool:
        others = [pool.submit(draw, seed) for seed in (7, 8, 9, 7)]
        texts = [other.result() for other in others]
    assert server.text("Πες κάτι.", model="base", temperature=1.5)  # a seed of its own
    assert texts[0] == texts[3] == first
    assert len({*texts}) == 3


def test_probabilities_are_told_when_asked_for(server: Server, taught: list[DatasetRow]) -> None:
    said = server.chat(taught[0].question, logprobs=True, top_logprobs=3)["choices"][0]
    told = said["logprobs"]["content"]
    assert "".join(one["token"] for one in told).replace(" ", "") != ""
    for one in told:
        best = one["top_logprobs"]
        assert len(best) == 3 and best[0]["logprob"] >= best[1]["logprob"]
        assert one["logprob"] == best[0]["logprob"] <= 0  # greedy
    streamed = server.stream(taught[0].question, logprobs=True)
    pieces = [one["choices"][0]["logprobs"] for one in streamed]
    assert sum(len(one["content"]) for one in pieces if one) == len(told)
    assert server.chat(taught[0].question)["choices"][0]["logprobs"] is None


def test_the_stories_that_an_answer_can_be_read_in_are_named_when_asked_for(
    server: Server, taught: list[DatasetRow]
) -> None:
    row = taught[0]
    assert "sources" not in server.chat(row.question)
    whole = server.chat(row.question, sources=2)
    assert whole["choices"][0]["message"]["content"] == row.answer
    found = whole["sources"]
    assert 1 <= len(found) <= 2 and found[0]["share"] == 1
    assert found[0]["url"].startswith("http://x/") and found[0]["published"] == "2001-02-03"
    streamed = server.stream(row.question, sources=2)
    assert [one.get("sources") for one in streamed if "sources" in one] == [found]
    assert streamed[-1]["choices"][0]["finish_reason"] == "stop"  # with the end, not beside it
    with ThreadPoolExecutor(4) as pool:
        several = pool.map(lambda _: server.chat(row.question, sources=2)["sources"], range(4))
        assert list(several) == [found] * 4


# -- what it is not given --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[1]", 400, None),
        (b"[" * 100_000, 400, None),
        ({}, 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role"),
        (chat("α", max_tokens=0), 400, "max_tokens"),
        (chat("α", temperature=9), 400, "temperature"),
        (chat("α", top_p="much"), 400, "top_p"),
        (chat("α", n=2), 400, "n"),
        (chat("α", tools=[{"type": "function"}]), 400, "tools"),
        (chat("α", response_format={"type": "json_object"}), 400, "response_format.type"),
        (chat("α", model="gpt-9"), 404, "model"),
        (chat("α", sources=99), 400, "sources"),
        (chat("α " * 3000), 400, "messages"),
        (chat("α", max_tokens=5000), 400, "messages"),
        (chat("α", messages=[{"role": "assistant", "content": "α"}] * 2), 200, None),
    ],
)
def test_a_request_that_cannot_be_served_is_told_so_as_openai_would(
    server: Server, body: Any, status: int, param: str | None
) -> None:
    got, said = server.ask(body=body)
    assert got == status, said
    if status != 200:
        assert set(said["error"]) == {"message", "type", "param", "code"}
        assert said["error"]["type"] == "invalid_request_error"
        assert (said["error"]["param"] or "").startswith(param or "")
        assert "\n" not in said["error"]["message"]


def test_what_is_no_request_at_all_is_json_too(server: Server) -> None:
    assert server.ask("/v1/nothing")[0] == 404
    assert server.ask("/v1/models", body=b"{}")[0] == 405
    assert server.ask(body=b"x" * (2 << 20))[0] == 413
    status, said = server.ask(body=chat("α"), **{"Content-Type": "text/plain"})
    assert status == 415 and "application/json" in said["error"]["message"]
    assert server.ask("/health")[1]["status"] == "ok"


def test_a_page_that_calls_this_machine_by_another_name_is_refused(server: Server) -> None:
    status, said = server.ask("/v1/models", Host="evil.example:8080")
    assert status == 421 and "evil.example" in said["error"]["message"]
    assert server.ask("/v1/models", Host=f"localhost:{server.port}")[0] == 200


def test_a_client_that_leaves_takes_its_request_along(server: Server) -> None:
    for stream in (True, False):
        with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
            body = json.dumps(chat("α", stream=stream, max_tokens=LONG, model="base")).encode()
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            until(lambda: server.ask("/health")[1]["requests"] == 1, 30)
        until(lambda: server.ask("/health")[1]["requests"] == 0, 5)


def test_while_it_serves_no_run_is_trained(server: Server, trained: Desk) -> None:
    assert not FileLock(trained.folder / "data" / "gpu.lock").acquire()


# -- our own worker --------------------------------------------------------------------------


def test_our_worker_s_engine_generates_through_it(server: Server, taught: list[DatasetRow]) -> None:
    with closing(
        OpenAIEngine(
            server.url, name="a/model", served_as="tuned", width=4, api_key="", temperature=0.0
        )
    ) as engine:
        tickets = [
            engine.submit([{"role": "user", "content": row.question}], 40, 0) for row in taught
        ]
        tickets.append(engine.submit([{"role": "user", "content": "α " * 3000}], 40, 0))
        done: dict[int, Any] = {}
        deadline = time.monotonic() + 60
        while len(done) < len(tickets):
            assert time.monotonic() < deadline
            done |= {one.ticket: one for one in engine.step()}
    found = [done[ticket] for ticket in tickets]
    assert [one.text for one in found[:-1]] == [server.text(row.question) for row in taught]
    assert all(one.tokens_in and one.tokens_out and not one.error for one in found[:-1])
    assert found[-1].error == "too-long"


# -- beginning and ending --------------------------------------------------------------------


def test_a_key_is_asked_for_the_persona_is_put_first_and_ctrl_c_lets_an_answer_end(
    trained: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    server = start(
        trained,
        popen,
        "--width",
        "1",
        KKORACLE_SERVE_API_KEY="sk-secret",
        KKORACLE_PERSONA_SYSTEM="Είσαι το αρχείο της εφημερίδας.",
    )
    status, said = server.ask("/v1/models", Authorization="Bearer sk-wrong")
    assert status == 401 and said["error"]["code"] == "invalid_api_key"
    assert server.ask("/v1/models")[0] == 200
    read = {
        name: server.chat("α", model=name, max_tokens=1)["usage"]["prompt_tokens"]
        for name in ("tuned", "base")
    }
    assert read["tuned"] > read["base"] + 5  # the persona speaks before the tuned model alone
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.text, "α", model="base", max_tokens=300)
        until(lambda: server.ask("/health")[1]["requests"] == 1, 30)
        server.process.send_signal(signal.SIGINT)
        assert asked.result(30)
    rest, _ = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and rest.strip() == "endpoint stopped"


def test_a_second_ctrl_c_ends_a_long_answer(
    trained: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    server = start(trained, popen)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask, body=chat("α", model="base", max_tokens=LONG))
        until(lambda: server.ask("/health")[1]["requests"] == 1, 30)
        while not asked.done():  # two that come at once are one to a process that has no turn
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        status, said = asked.result()
    assert status == 503 and "stopping" in said["error"]["message"]
    rest, _ = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and "Traceback" not in rest


def test_it_is_not_open_to_others_without_a_key(trained: Desk) -> None:
    line = trained.refuses("serve", "--host", "0.0.0.0", "--port", "0", code=2)
    assert "KKORACLE_SERVE_API_KEY" in line


def test_what_cannot_be_served_is_one_line(trained: Desk, server: Server) -> None:
    assert "has no last adapter" in trained.refuses("serve", "--name", "nobody")
    assert "no threshold" in trained.refuses("serve", "--abstain", "--port", "0")
    line = trained.refuses("serve", "--port", str(server.port))
    assert "cannot listen" in line
