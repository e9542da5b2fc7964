"""`kkoracle demo`: the main job on a sample newspaper, with the same commands a person would run.

The newspaper is served over HTTP on loopback, `kkoracle crawl` takes it, `kkoracle work` writes
the pairs with a tiny model through Redis and RQ, then `dataset build`, `train` and `compare`.
Every step is a process of its own; killed anywhere, the same command goes on.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchange import signals
from exchange.errors import OK, ProgramFailed
from exchange.inference import openblas
from exchange.lock import DEMO_LOCK, FileLock, wait_for_gpu
from exchange.machine import python_module
from kkoracle.children import ChildProcesses
from kkoracle.demo import plan as plans
from kkoracle.demo.newspaper import Language
from kkoracle.demo.progress import print_summary, watch_generation

ORPHAN_S = 60.0  # a worker without supervisor: its grace of 30 s, and twice the 5 s between looks
COMMANDS = {  # after the crawl, in the words that a person types
    "build the dataset": ("dataset", "build"),
    "train": ("train",),
    "compare": ("compare",),
}
STEPS = len(COMMANDS) + 2  # the crawl before them, the summary after


def run_demo(
    directory: Path, stories: int | None, model: Path | None = None, language: Language = "el"
) -> int:
    """Run or resume the demo in `directory`; returns the exit code.

    Args:
        model: another model folder than the bundled one, which speaks Greek alone.

    Raises:
        UserError: a step failed; the message says which, and where its messages are.
    """
    directory = directory.resolve()
    plan, port = plans.load_or_create_plan(directory, stories, model, language)
    say = _make_printer()
    say(f"A sample newspaper of {plan.stories} stories; everything is kept in {directory}")
    if openblas.needed() and openblas.find() is None:
        say(f"No OpenBLAS here, so the newspaper is a small one. {openblas.ADVICE}")
    clock = _StepTimer(say)
    with FileLock(directory / DEMO_LOCK):
        clock.step("crawl and generate", lambda: _crawl_and_generate(directory, plan, port))
        # A worker that a kill left alone takes its grace, or waits for a Redis that is gone.
        wait_for_gpu(directory / "data", say, most_s=ORPHAN_S)
        for name, command in COMMANDS.items():
            clock.step(name, lambda command=command: _run_command(directory, *command))  # type: ignore[misc]
    clock.announce("what came of it")
    print_summary(directory, plan, clock.seconds)
    return OK


def _crawl_and_generate(directory: Path, plan: plans.DemoPlan, port: socket.socket | None) -> None:
    with ChildProcesses(directory) as children:
        start_newspaper(children, directory, plan, port)
        children.start("worker", "kkoracle", "work")
        children.start("daemon", "kkoracle", "crawl")
        watch_generation(children, directory / "data" / "demo")


def start_newspaper(
    children: ChildProcesses, directory: Path, plan: plans.DemoPlan, port: socket.socket | None
) -> None:
    """Serve the newspaper of a plan; its truth is written to `truth.json` first.

    The child takes over the open port: whoever asks before it is ready waits.

    Raises:
        UserError: another program has the port of a plan that is gone on with.
    """
    with port or plans.open_stored_port(directory, plan) as listener:
        children.start(
            "newspaper",
            "kkoracle.demo.newspaper",
            "--fd",
            str(listener.fileno()),
            "--stories",
            str(plan.stories),
            "--seed",
            str(plan.seed),
            "--language",
            plan.language,
            "--truth",
            "truth.json",
            pass_fds=(listener.fileno(),),
        )


def _run_command(directory: Path, *arguments: str) -> None:
    """Run one command in the foreground; its own progress is what a person sees."""
    # A session of its own: Ctrl-C reaches only the demo, which passes it on exactly once.
    process = subprocess.Popen(
        python_module("kkoracle", *arguments), cwd=directory, start_new_session=True
    )
    code = signals.wait_for_child(process)
    if code:
        raise ProgramFailed(f"`kkoracle {' '.join(arguments)}` ended with code {code}", code)


class _StepTimer:
    """Names each step as it begins, and keeps how long it took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    def announce(self, name: str) -> None:
        self._say(f"\n== step {len(self.seconds) + 1} of {STEPS}: {name}")

    def step(self, name: str, work: Callable[[], Any]) -> None:
        self.announce(name)
        started = time.monotonic()
        work()
        self.seconds[name] = time.monotonic() - started


def _make_printer() -> Callable[[str], None]:
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    return lambda text: console.print(text, markup=False)
