"""Greedy answers to many prompts at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from exchange.inference.engine import BASE, RequestOutput, drain
from exchange.inference.mlx.engine import MlxEngine
from exchange.inference.runtime import LoadedModels

WIDTH = 32  # rows decoded together: on Apple's GPUs up to 32 cost the same


def generate_texts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_tokens: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """The answers' texts, in the order of the prompts. Leaves the model evaluating, not training.

    Args:
        progress: called with answers done and answers in all.
    """
    texts = [""] * len(prompts)
    done = 0

    def on_output(number: int, output: RequestOutput) -> None:
        nonlocal done
        texts[number] = output.text
        done += 1
        progress(done, len(prompts))

    width = min(WIDTH, max(1, len(prompts)))
    engine = MlxEngine(LoadedModels({BASE: model}, tokenizer, 0), name="", width=width)
    try:
        tickets = [engine.submit_tokens(list(prompt), max_tokens, 0) for prompt in prompts]
        drain(engine, {ticket: number for number, ticket in enumerate(tickets)}, on_output)
    finally:
        engine.close()
    return texts
