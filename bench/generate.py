"""Our engine's continuous batch against mlx-lm's `generate()`, one chunk after another.

The same random model of about 20 million weights in one type (float32 on a CPU), the same chunks
of the sample newspaper, the same prompt and the same bound on each answer's length; the bounds
differ from chunk to chunk, as real answers do. Greedy, so both should say the same.

identical          share of chunks with the same answer from both
speedup_vs_loop    processor time of the loop over that of the batch
speedup_wall       the same of the clock; on a busy machine it tells little
loop_cpu_s, batch_cpu_s, tokens   what the ratio is made of; loading the model is in neither
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.registry import Figures, Settings
from exchange import mlx_runtime, openblas
from exchange.engine import Message

SEED = 7
CHUNKS, QUICK = 64, 16
LENGTHS = 24, 96  # tokens of an answer: one fact to three
WIDTH = 16
SIZES = {"vocab": 8192, "hidden": 512, "layers": 6, "heads": 8, "kv_heads": 4}


@dataclass(frozen=True, slots=True)
class Timed:
    """Texts in the order of the chunks, and what they took."""

    texts: list[str]
    cpu_s: float
    wall_s: float


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--chunks", type=int, help=f"default: {CHUNKS}, quick {QUICK}")
    parser.add_argument("--hidden", type=int, default=SIZES["hidden"], help="the model's width")


def run(given: argparse.Namespace, settings: Settings) -> Figures:
    """Both in turn, each warmed up with one chunk."""
    openblas.ensure()
    from kkoracle.demo.tiny import make_tiny_model
    from workers.engines.mlx import MlxEngine

    asked = _chunks(given.chunks or (QUICK if settings.quick else CHUNKS))
    lengths = [random.Random(f"{SEED}:{i}").randint(*LENGTHS) for i in range(len(asked))]
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as folder:
        settings.say("making the model")
        texts = [message["content"] for messages in asked for message in messages]
        sizes = {**SIZES, "hidden": given.hidden}
        model = make_tiny_model(Path(folder) / "model", texts, **sizes, seed=SEED)
        engine = MlxEngine(model, name="random", width=WIDTH)
        engine.share_prefix(*(_prompt(mark) for mark in ("α", "1")))  # as the worker does
        settings.say(f"{len(asked)} chunks in one continuous batch of {WIDTH}")
        _batch(engine, asked[:1], lengths[:1])
        batch = _timed(lambda: _batch(engine, asked, lengths))
        engine.close()
        peer, tokenizer = mlx_runtime.load(model)
        settings.say("the same with generate(), one by one")
        _loop(peer, tokenizer, asked[:1], lengths[:1])
        loop = _timed(lambda: _loop(peer, tokenizer, asked, lengths))
    same = sum(a == b for a, b in zip(batch.texts, loop.texts, strict=True))
    return {
        "chunks": len(asked),
        "parameters": _parameters(peer),
        "width": WIDTH,
        "tokens": sum(lengths),
        "identical": round(same / len(asked), 4),
        "speedup_vs_loop": round(loop.cpu_s / batch.cpu_s, 2),
        "speedup_wall": round(loop.wall_s / batch.wall_s, 2),
        "loop_cpu_s": round(loop.cpu_s, 2),
        "batch_cpu_s": round(batch.cpu_s, 2),
    }


def _chunks(count: int) -> list[list[Message]]:
    """Requests for the first chunks of the sample newspaper, cut as its profile cuts them."""
    from crawler.chunk import cut
    from crawler.profiles import builtin
    from kkoracle.demo.newspaper import build

    size = builtin()["demo"].chunk.size
    newspaper = build(SEED, 60)
    texts = [
        (f"{newspaper.name}, {story.title}", text)
        for story in newspaper.stories
        for text in cut(list(story.paragraphs), size)
    ]
    return [_prompt(text, header) for header, text in texts[:count]]


def _prompt(text: str, header: str = "") -> list[Message]:
    from workers import prompts

    return prompts.load("el/chunk").messages(header or text, text)


def _batch(engine: Any, asked: list[list[Message]], lengths: list[int]) -> list[str]:
    """All at once; the engine itself decodes as many together as its width allows."""
    tickets = [engine.submit(*one, SEED) for one in zip(asked, lengths, strict=True)]
    texts: dict[int, str] = {}
    while len(texts) < len(tickets):
        texts.update({done.ticket: done.text for done in engine.step()})
    return [texts[ticket] for ticket in tickets]


def _loop(model: Any, tokenizer: Any, asked: list[list[Message]], lengths: list[int]) -> list[str]:
    """What `generate()` does, with the tokens at hand.

    Random weights write broken UTF-8, which its streaming decoder spells otherwise than `decode`.
    """
    from mlx_lm.generate import stream_generate

    texts = []
    for messages, length in zip(asked, lengths, strict=True):
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        said = list(stream_generate(model, tokenizer, prompt, max_tokens=length))
        tokens = [part.token for part in said if part.finish_reason != "stop"]
        texts.append(tokenizer.decode(tokens).strip())
    return texts


def _timed(work: Callable[[], list[str]]) -> Timed:
    cpu, wall = time.process_time(), time.perf_counter()
    texts = work()
    return Timed(texts, time.process_time() - cpu, time.perf_counter() - wall)


def _parameters(model: Any) -> int:
    from mlx_lm.utils import get_total_parameters

    return int(get_total_parameters(model))
