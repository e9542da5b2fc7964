"""What a process of this bench says at its end: the answers, and what they took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import orjson

Answers = list[str]  # in the order of the chunks


@dataclass(frozen=True, slots=True)
class RunTiming:
    """Seconds of processor and clock, without loading and warming up."""

    cpu_s: float
    wall_s: float
    answers: Answers
    prompts: list[int]  # tokens of each
    shared: int = 0  # of them, computed once for all

    @classmethod
    def parse(cls, said: bytes) -> Self:
        """Read the last line that a process printed."""
        return cls(**orjson.loads(said.splitlines()[-1]))

    def print_line(self) -> None:
        sys.stdout.write(orjson.dumps(self).decode() + "\n")


def measure_run(work: Callable[[], Answers], prompts: list[int], shared: int = 0) -> RunTiming:
    """Do it, and look at both clocks."""
    cpu, wall = time.process_time(), time.perf_counter()
    answers = work()
    return RunTiming(
        time.process_time() - cpu, time.perf_counter() - wall, answers, prompts, shared
    )
