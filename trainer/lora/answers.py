"""Greedy answers to many prompts at once, in one continuous batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlx_lm.generate import BatchGenerator

WIDTH = 32  # rows decoded together: on Apple's GPUs up to 32 cost the same


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_tokens: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """The answers' texts, in the order of the prompts.

    Args:
        progress: called with answers done and answers in all.
    """
    model.eval()
    generator = BatchGenerator(
        model,
        max_tokens=max_tokens,
        stop_tokens=[[token] for token in sorted(tokenizer.eos_token_ids)],
        completion_batch_size=WIDTH,
    )
    try:
        tickets = generator.insert([list(prompt) for prompt in prompts])
        tokens: dict[int, list[int]] = {ticket: [] for ticket in tickets}
        done = 0
        while responses := generator.next_generated():
            for response in responses:
                if response.finish_reason != "stop":
                    tokens[response.uid].append(int(response.token))
                done += response.finish_reason is not None
            progress(done, len(prompts))
    finally:
        generator.close()
    return [tokenizer.decode(tokens[ticket]).strip() for ticket in tickets]
