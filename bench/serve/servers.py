"""Both servers as a person starts them, and clients that ask them."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import children_cpu_s, mlx_environment
from bench.serve.workload import TOKENS, ServeWorkload
from exchange.errors import ProgramFailed

PATIENCE_S = 120.0  # until a server answers


@dataclass(frozen=True, slots=True)
class ServerRun:
    """One life of a server."""

    cpu_s: float  # start and end included
    answers: list[str]
    tokens: int


class KkoracleServer:
    """`kkoracle serve`."""

    name = "kkoracle serve"

    @staticmethod
    def command(material: ServeWorkload, port: int) -> list[str]:
        """To be run in the project's folder."""
        return ["-m", "kkoracle", "serve", "--port", str(port)]

    @staticmethod
    def choose(model: str, material: ServeWorkload) -> dict[str, Any]:
        """The fields of a request that name the model."""
        return {"model": model}


class MlxLmServer:
    """mlx-lm's own server."""

    name = "mlx_lm.server"

    @staticmethod
    def command(material: ServeWorkload, port: int) -> list[str]:
        """To be run anywhere."""
        return [
            "-m",
            "mlx_lm",
            "server",
            "--model",
            str(material.model),
            "--port",
            str(port),
            "--log-level",
            "WARNING",
        ]

    @staticmethod
    def choose(model: str, material: ServeWorkload) -> dict[str, Any]:
        """The fields of a request that name model and adapter."""
        tuned = {"adapters": str(material.adapter)} if model == "tuned" else {}
        return {"model": str(material.model)} | tuned


def serve(
    kind: type[KkoracleServer] | type[MlxLmServer],
    material: ServeWorkload,
    models: Sequence[str],
    clients: int,
) -> ServerRun:
    """Start a server, ask it one question for each of the models, and end it.

    Raises:
        ProgramFailed: it does not start, or does not answer.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    env = mlx_environment() | {"HF_HUB_OFFLINE": "1"}
    before = children_cpu_s()
    log = material.project / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *kind.command(material, port)],
            cwd=material.project,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(process, port, log)
        _ask(port, kind.choose("tuned", material), "Πότε;")  # loads what is loaded late
        with ThreadPoolExecutor(clients) as pool:
            answers = list(
                pool.map(
                    lambda one: _ask(port, kind.choose(one[0], material), one[1]),
                    zip(models, material.questions, strict=False),
                )
            )
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    return ServerRun(
        children_cpu_s() - before,
        [text for text, _ in answers],
        sum(tokens for _, tokens in answers),
    )


def share_equal(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of equal answers, by their Greek letters: stray bytes are spelled in two ways."""
    equal = [_letters(one) == _letters(other) for one, other in zip(ours, theirs, strict=True)]
    return round(sum(equal) / len(equal), 4)


def _letters(text: str) -> str:
    return "".join(letter for letter in text if "Ͱ" <= letter <= "Ͽ")


def _ask(port: int, chosen: dict[str, Any], question: str) -> tuple[str, int]:
    body = chosen | {
        "messages": [{"role": "user", "content": question}],
        "max_tokens": TOKENS,
        "temperature": 0,
    }
    for pause in (0.2, 1.0, 5.0, None):
        try:
            status, reply = _post(port, body)
            break
        except ConnectionError:  # mlx_lm.server lets five wait for a connection, and no more
            if pause is None:
                raise
            time.sleep(pause)
    if status != 200:
        raise ProgramFailed(f"a server answers {status}: {reply}")
    text = reply["choices"][0]["message"]["content"] or ""  # mlx_lm.server: null for no text
    return text, reply["usage"]["completion_tokens"]


def _post(port: int, body: dict[str, Any]) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=600)) as connection:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
        )
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/health")
                connection.getresponse().read()
                return
        except OSError:
            time.sleep(0.2)
    raise ProgramFailed(f"a server did not start: {log.read_text('utf-8', 'replace')[-300:]}")
