"""`kkoracle demo`: the main job on a sample newspaper, with the same commands a person would run.

The newspaper is served over HTTP on loopback, `kkoracle crawl` takes it, `kkoracle work` writes
the pairs with a tiny model through Redis and RQ, then `dataset build`, `train` and `compare`.
Every step is a process of its own; killed anywhere, the same command goes on.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchange import openblas
from exchange.errors import OK, UserError
from exchange.lock import FileLock
from kkoracle.demo import plan as plans
from kkoracle.demo.children import Children
from kkoracle.demo.summary import summarise
from kkoracle.demo.watch import watch

START_S = 30.0


def run(directory: Path, stories: int | None, model: Path | None = None) -> int:
    """Run or resume the demo in `directory`; returns the exit code.

    Raises:
        UserError: a step failed; the message says which, and where its messages are.
    """
    directory = directory.resolve()
    plan = plans.settle(directory, stories, model or plans.MODEL)
    say = _speaker()
    say(f"A sample newspaper of {plan.stories} stories; everything is kept in {directory}")
    if openblas.needed() and openblas.find() is None:
        say(f"No OpenBLAS here, so the newspaper is a small one. {openblas.ADVICE}")
    clock = _Clock(say)
    with FileLock(directory / "demo.lock"):
        clock.step("crawl and generate", lambda: _crawl_and_generate(directory, plan))
        for name, *command in (
            ("build the dataset", "dataset", "build"),
            ("train", "train"),
            ("compare", "compare"),
        ):
            clock.step(name, lambda command=command: _command(directory, *command))  # type: ignore[misc]
    summarise(directory, plan, clock.seconds)
    return OK


def _crawl_and_generate(directory: Path, plan: plans.Plan) -> None:
    archive = directory / "data" / "demo"
    with Children(directory) as children:
        children.start(
            "newspaper",
            "-m",
            "kkoracle.demo.newspaper",
            "--port",
            str(plan.port),
            "--stories",
            str(plan.stories),
            "--seed",
            str(plan.seed),
            "--truth",
            "truth.json",
            "--announce",
            "address",
        )
        _await(lambda: _answers(plan.port), children, "newspaper")
        children.start("worker", "-m", "kkoracle", "work")
        children.start("daemon", "-m", "kkoracle", "crawl")
        watch(children, archive)


def _command(directory: Path, *arguments: str) -> None:
    """Run one command in the foreground; its own progress is what a person sees."""
    # A session of its own: Ctrl-C reaches only the demo, which passes it on exactly once.
    process = subprocess.Popen(
        [sys.executable, "-m", "kkoracle", *arguments], cwd=directory, start_new_session=True
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    if code:
        raise UserError(f"`kkoracle {' '.join(arguments)}` ended with code {code}", code)


def _await(ready: Callable[[], bool], children: Children, name: str) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if children.exit_code(name) is not None or time.monotonic() > deadline:
            raise children.failure(name)
        time.sleep(0.05)


def _answers(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class _Clock:
    """Names each step as it begins, and keeps how long it took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    def step(self, name: str, work: Callable[[], Any]) -> None:
        self._say(f"\n== {name}")
        started = time.monotonic()
        work()
        self.seconds[name] = time.monotonic() - started


def _speaker() -> Callable[[str], None]:
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    return lambda text: console.print(text, markup=False)
