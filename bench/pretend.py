"""The real worker with an engine that takes time but no model: `python -m bench.pretend`.

The supervisor starts it when the environment names it (`KKORACLE_WORKER_MODULE`), which nobody
on the Redis can do. All but the engine is the real worker. With `PRETEND_MLX=1` the
engine is the real one too, and only counts.

PRETEND_DELAY   "0.1-0.5": seconds a request takes, drawn by the request's seed
PRETEND_LOG     file that gets one line per request, to know what ran twice
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import deque
from pathlib import Path

from exchange.inference.engine import (
    Engine,
    EngineDescription,
    Message,
    RequestOutput,
    SamplingParams,
)
from exchange.settings import Config
from workers import run
from workers.settings import WorkSettings

DELAY, LOG, MLX = "PRETEND_DELAY", "PRETEND_LOG", "PRETEND_MLX"
POISON = "Δηλητήριο"  # a chunk with this word kills its worker, as a fault in a library would
REPLY = "Ερώτηση: Ποιος είναι ο αριθμός {number} της είδησης;\nΑπάντηση: Ο αριθμός {number}."
STEP_S = 0.02  # the longest a step waits
MARK = "Αριθμός "


class PretendEngine:
    """Behaves like a continuous batch: `width` at a time, the others wait."""

    def __init__(self, width: int, delay: tuple[float, float], name: str) -> None:
        self._width, self._delay, self._name = width, delay, name
        self._waiting: deque[tuple[int, str, float]] = deque()
        self._running: dict[int, tuple[str, float, float]] = {}  # text, started, due
        self._tickets = 0

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
    ) -> int:
        """See `Engine.submit`."""
        self._tickets += 1
        takes = random.Random(seed).uniform(*self._delay)
        self._waiting.append((self._tickets, messages[-1]["content"], takes))
        return self._tickets

    def step(self) -> list[RequestOutput]:
        """See `Engine.step`."""
        moment = time.monotonic()
        while self._waiting and len(self._running) < self._width:
            ticket, text, takes = self._waiting.popleft()
            self._running[ticket] = (text, moment, moment + takes)
        due = [ticket for ticket, (_, _, at) in self._running.items() if at <= moment]
        if not due and self._running:
            time.sleep(max(0.0, min(STEP_S, min(at for *_, at in self._running.values()) - moment)))
        return [self._finish(ticket, moment) for ticket in due]

    def _finish(self, ticket: int, moment: float) -> RequestOutput:
        text, started, _ = self._running.pop(ticket)
        if POISON in text:
            os.kill(os.getpid(), signal.SIGKILL)
        reply = REPLY.format(number=number_of(text))
        return RequestOutput(ticket, reply, "stop", 100, 20, moment - started)

    def cancel(self, ticket: int) -> None:
        """See `Engine.cancel`."""
        self._running.pop(ticket, None)
        self._waiting = deque(one for one in self._waiting if one[0] != ticket)

    def close(self) -> None:
        """See `Engine.close`."""

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        return EngineDescription("pretend", self._name, "none", self._width)


class CountingEngine:
    """Any engine, with a line in a file per request."""

    def __init__(self, engine: Engine, log: Path) -> None:
        self._engine = engine
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
    ) -> int:
        """See `Engine.submit`."""
        os.write(self._log, f"{number_of(messages[-1]['content'])}\n".encode())
        return self._engine.submit(messages, max_tokens, seed, sampling=sampling)

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


def number_of(prompt: str) -> str:
    """The number that every chunk of ours ends with."""
    return prompt.rpartition(MARK)[2].split(".")[0].strip()


def open_pretend(config: Config, work: WorkSettings) -> Engine:
    """The engine that the environment asks for."""
    log = os.environ.get(LOG)
    if os.environ.get(MLX):
        engine = run.open_engine(config, work)
    else:
        low, _, high = os.environ.get(DELAY, "0-0").partition("-")
        engine = PretendEngine(work.width or 16, (float(low), float(high)), "pretend")
    return CountingEngine(engine, Path(log)) if log else engine  # type: ignore[return-value]


if __name__ == "__main__":
    sys.exit(run.main(open_with=open_pretend))
