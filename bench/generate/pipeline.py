"""The real worker on a real queue; the engine is ours. `python -m bench.generate.pipeline DIR`

The engine is only told how long each answer is, and a random model's words are replaced by three
pairs about the chunk, so that parser, checks and results are as much work as they always are.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from bench.generate.timing import RunTiming
from bench.generate.workload import WARM_UP, GenerationWorkload
from exchange.inference.engine import Engine, Message, RequestOutput, SamplingParams
from exchange.inference.mlx.engine import MlxEngine
from exchange.settings import Config
from workers import run
from workers.open_engine import open_engine
from workers.settings import WorkSettings

LOOK = 80  # characters that tell one prompt from another


class BoundedEngine:
    """An engine whose answers have the lengths of the material."""

    def __init__(self, engine: MlxEngine, material: GenerationWorkload) -> None:
        self._engine = engine
        self._messages = material.messages()
        self._number = {one[-1]["content"]: n for n, one in enumerate(self._messages)}
        self._texts, self._limits = material.texts, material.limits
        self._by_ticket: dict[int, int] = {}
        self._prompts = [0] * len(self._texts)
        self._answers = [""] * len(self._texts)
        self._shared = 0
        self._began: tuple[float, float] | None = None
        self._last = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def share_prefix(self, first: list[Message], second: list[Message]) -> int:
        shared = self._engine.share_prefix(first, second)
        if first[-1]["content"][:LOOK] == self._messages[0][-1]["content"][:LOOK]:
            self._shared = shared  # other kinds of task have prompts of their own
        return shared

    def submit(
        self,
        messages: list[Message],
        max_tokens: int,
        seed: int,
        *,
        sampling: SamplingParams | None = None,
    ) -> int:
        if self._began is None:
            self._warm_up()
            self._began = time.process_time(), time.perf_counter()
        number = self._number[messages[-1]["content"]]
        ticket = self._engine.submit(messages, self._limits[number], seed, sampling=sampling)
        self._by_ticket[ticket] = number
        return ticket

    def step(self) -> list[RequestOutput]:
        return [self._note(finished) for finished in self._engine.step()]

    def close(self) -> None:
        cpu, wall = self._began or (0.0, 0.0)
        count = len(self._texts) - WARM_UP
        RunTiming(
            time.process_time() - cpu,
            self._last - wall,
            self._answers[:count],
            self._prompts[:count],
            self._shared,
        ).print_line()
        self._engine.close()

    def _note(self, finished: RequestOutput) -> RequestOutput:
        number = self._by_ticket[finished.ticket]
        self._last = time.perf_counter()
        self._prompts[number] = finished.tokens_in
        self._answers[number] = finished.text
        return dataclasses.replace(finished, text=_pairs(self._texts[number]))

    def _warm_up(self) -> None:
        count = len(self._texts) - WARM_UP
        waiting = {
            self._engine.submit(self._messages[n], self._limits[n], 0)
            for n in range(count, len(self._texts))
        }
        while waiting:
            waiting -= {finished.ticket for finished in self._engine.step()}


def _pairs(text: str) -> str:
    """Three pairs about a chunk, in the format that is asked for."""
    sentences = [part.strip() for part in text.split(".") if len(part.split()) > 4][:3]
    return "\n".join(
        f"Ερώτηση: Τι γράφει η εφημερίδα για το εξής: {' '.join(sentence.split()[:5])};\n"
        f"Απάντηση: {sentence}."
        for sentence in sentences
    )


def main(folder: Path) -> int:
    """Work as `python -m workers.run --burst` does, with lengths as the material has them."""
    material = GenerationWorkload.read(folder)

    def bounded(config: Config, work: WorkSettings) -> Engine:
        engine = open_engine(config, work)
        assert isinstance(engine, MlxEngine)
        return BoundedEngine(engine, material)

    return run.main(["--burst"], open_with=bounded)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
