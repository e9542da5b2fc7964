"""mlx-lm's BatchGenerator alone, with a prefix cache. `python -m bench.generate.bare DIR`

Nothing but prompts and tokens: no Redis, no jobs, no checks. All prompts are there at once, in
the order in which the feeder queues them (by length).
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.generate.timing import Answers, measure_run
from bench.generate.workload import WARM_UP, GenerationWorkload
from exchange.inference import runtime


def main(folder: Path) -> None:
    """Load, warm up, generate, say."""
    material = GenerationWorkload.read(folder)
    model, tokenizer = runtime.load(material.model)
    import mlx.core as mx
    from mlx_lm.generate import BatchGenerator
    from mlx_lm.models.cache import make_prompt_cache

    prompts = [
        list(tokenizer.apply_chat_template(messages, add_generation_prompt=True))
        for messages in material.messages()
    ]
    generator = BatchGenerator(
        model,
        stop_tokens=[[token] for token in sorted(tokenizer.eos_token_ids)],
        completion_batch_size=material.width,
        prefill_batch_size=min(8, material.width),
    )
    shared = _common(prompts)
    prefix = make_prompt_cache(model)
    with mx.stream(generator.stream):
        model(mx.array(prompts[0][:shared])[None], cache=prefix)
        mx.eval([layer.state for layer in prefix])

    def work(numbers: list[int]) -> Answers:
        uids = generator.insert(
            [prompts[n][shared:] for n in numbers],
            [material.limits[n] for n in numbers],
            caches=[prefix] * len(numbers),
        )
        answers: dict[int, list[int]] = {uid: [] for uid in uids}
        while responses := generator.next_generated():
            for response in responses:
                if response.finish_reason != "stop":
                    answers[response.uid].append(int(response.token))
        by_number = dict(zip(numbers, uids, strict=True))
        return [tokenizer.decode(answers[by_number[n]]).strip() for n in sorted(numbers)]

    count = len(prompts) - WARM_UP
    work(list(range(count, len(prompts))))
    order = sorted(range(count), key=lambda n: len(material.texts[n]))
    measure_run(
        lambda: work(order), [len(prompt) for prompt in prompts[:count]], shared
    ).print_line()


def _common(prompts: list[list[int]]) -> int:
    """How many tokens all prompts begin with."""
    lowest, highest = min(prompts), max(prompts)
    same = [one == other for one, other in zip(lowest, highest, strict=False)]
    return same.index(False) if False in same else len(same)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
