"""Turns examples into token arrays and batches of like length; nothing here runs in the loop.

`make_shard` writes one file of tokenized examples, `ShardBatches` reads it back in an order that
depends only on the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from exchange.files import atomic_path
from tools.demo_model.examples import ExampleMaker
from tools.demo_model.tokenizer import PAD, chat

# Targets that carry no loss: prompts and padding.
IGNORED = -100


def make_shard(tokenizer: Tokenizer, path: Path, seed: int, stage: int, count: int) -> None:
    """Writes `count` examples of a stage: tokens end to end, where each begins, prompt lengths."""
    maker = ExampleMaker(seed)
    examples = [maker.example(stage) for _ in range(count)]
    prompts = tokenizer.encode_batch(
        [chat(example.user, example.system) for example in examples], add_special_tokens=False
    )
    answers = tokenizer.encode_batch(
        [f"{example.answer}</s>" for example in examples], add_special_tokens=False
    )
    rows = [p.ids + a.ids for p, a in zip(prompts, answers, strict=True)]
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    with atomic_path(path, sync=False, keep_suffix=True) as partial:
        np.savez(
            partial,
            tokens=np.concatenate([np.asarray(row, np.uint16) for row in rows]),
            starts=starts,
            prompts=np.asarray([len(p.ids) for p in prompts], np.int32),
        )


@dataclass(slots=True)
class ShardBatches:
    """Batches of one shard: rows of like length together, about `size` tokens in each."""

    path: Path
    size: int
    seed: int

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of inputs and targets, (rows, length) int64, in a seeded order."""
        with np.load(self.path) as shard:
            tokens, starts, prompts = shard["tokens"], shard["starts"], shard["prompts"]
        rng = np.random.default_rng(self.seed)
        lengths = np.diff(starts)
        order = np.lexsort((rng.random(len(lengths)), lengths))
        groups: list[list[int]] = []
        group: list[int] = []
        for index in order:
            if group and (len(group) + 1) * lengths[index] > self.size:
                groups.append(group)
                group = []
            group.append(index)
        # The last group may be small, which would make one noisy step: it is left out.
        rng.shuffle(groups)
        for chosen in groups:
            longest = int(max(lengths[i] for i in chosen))
            inputs = np.full((len(chosen), longest), PAD, np.int64)
            targets = np.full((len(chosen), longest), IGNORED, np.int64)
            for row, index in enumerate(chosen):
                ids = tokens[starts[index] : starts[index + 1]]
                inputs[row, : len(ids)] = ids
                first = int(prompts[index])
                targets[row, first - 1 : len(ids) - 1] = ids[first:]
            yield inputs, targets
