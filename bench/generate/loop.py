"""The peer: mlx-lm's `generate()`, one chunk after another. `python -m bench.generate.loop DIR`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from bench.generate.timing import Answers, measure_run
from bench.generate.workload import WARM_UP, GenerationWorkload
from exchange.inference import runtime


def main(folder: Path) -> None:
    """Load, warm up, generate, say."""
    material = GenerationWorkload.read(folder)
    model, tokenizer = runtime.load(material.model)
    import mlx.core as mx
    from mlx_lm import generate

    prompts = [
        list(tokenizer.apply_chat_template(messages, add_generation_prompt=True))
        for messages in material.messages()
    ]

    def one(prompt: list[int], limit: int) -> str:
        # `generate` spells broken UTF-8, of which a random model writes much, otherwise than
        # `decode`; so the tokens are kept as they are drawn, and decoded as the others are.
        drawn: list[mx.array] = []

        def greedy(logprobs: mx.array) -> mx.array:
            drawn.append(mx.argmax(logprobs, axis=-1))
            return drawn[-1]

        generate(model, tokenizer, prompt, max_tokens=limit, sampler=greedy)
        tokens = cast(list[int], mx.concatenate(drawn[:limit]).tolist())
        ends = [place for place, token in enumerate(tokens) if token in tokenizer.eos_token_ids]
        return str(tokenizer.decode(tokens[: ends[0]] if ends else tokens)).strip()

    def work(first: int, last: int) -> Answers:
        return [one(prompts[n], material.limits[n]) for n in range(first, last)]

    count = len(prompts) - WARM_UP
    work(count, len(prompts))
    measure_run(lambda: work(0, count), [len(prompt) for prompt in prompts[:count]]).print_line()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
