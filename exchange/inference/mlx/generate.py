"""Greedy answers to many prompts at once, in one continuous batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlx_lm.generate import BatchGenerator

WIDTH = 32  # rows decoded together: on Apple's GPUs up to 32 cost the same


@dataclass(slots=True)
class GreedyReply:
    """One answer. `seconds` is its share of the time in which it was decoded with others."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    seconds: float = 0.0
    finish_reason: str = ""  # "stop" or "length"


def generate_texts(
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
    texts = [""] * len(prompts)
    done = 0

    def ended(number: int, reply: GreedyReply) -> None:
        nonlocal done
        texts[number] = reply.text
        done += 1
        progress(done, len(prompts))

    generate_each(model, tokenizer, prompts, max_tokens, ended)
    return texts


def generate_each(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    max_tokens: int,
    ended: Callable[[int, GreedyReply], None],
    *,
    width: int = WIDTH,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Answer all prompts, each handed over as it ends.

    Args:
        ended: called with the number of the prompt and its reply.
        width: rows decoded together.
        stop: looked at before every token; true leaves the rest unanswered.
    """
    model.eval()
    generator = BatchGenerator(
        model,
        max_tokens=max_tokens,
        stop_tokens=[[token] for token in sorted(tokenizer.eos_token_ids)],
        completion_batch_size=width,
        prefill_batch_size=min(width, 8),  # 8 is the generator's own
    )
    try:
        tickets = generator.insert([list(prompt) for prompt in prompts])
        waiting = {ticket: (number, GreedyReply()) for number, ticket in enumerate(tickets)}
        before = time.perf_counter()
        while not stop() and (responses := generator.next_generated()):
            now = time.perf_counter()
            share, before = (now - before) / len(responses), now
            for response in responses:
                number, reply = waiting[response.uid]
                reply.seconds += share
                if response.finish_reason != "stop":
                    reply.tokens.append(int(response.token))
                if response.finish_reason is not None:
                    reply.finish_reason = response.finish_reason
                    reply.text = tokenizer.decode(reply.tokens).strip()
                    del waiting[response.uid]
                    ended(number, reply)
    finally:
        generator.close()
