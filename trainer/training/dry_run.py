"""A few steps of a run that leave no trace: what they took, and how much memory at the peak.

They are the loop's own steps, with a learning rate of zero. At the end adapter, optimizer and
random numbers are those of before, so a run after a dry run is the run without one, bit for bit.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

from exchange.inference import runtime
from exchange.inference.mlx.engine import generate_texts
from trainer.tokenization import TokenizedSample
from trainer.training import adapter, batches, checkpoints
from trainer.training.activation_cache import ActivationCache
from trainer.training.loop import TrainingLoop
from trainer.training.loss import summed_loss
from trainer.training.plan import TimeSpent, time_spent
from trainer.training.teacher import Teacher

Groups = list[list[TokenizedSample]]
SMALLEST_POOL = 16 << 20  # bytes


class DryRun:
    """Use it as a context around everything that is measured."""

    def __init__(self, loop: TrainingLoop) -> None:
        self.loop = loop
        # What is computed once for each row, and what that took so far.
        self.filling: dict[ActivationCache | Teacher, TimeSpent] = {
            store: TimeSpent() for store in (loop.cache, loop.teacher) if store
        }

    def __enter__(self) -> Self:
        loop = self.loop
        self._adapter = tree_map(lambda array: array, loop.model.trainable_parameters())
        self._counted = {
            name: value
            for name, value in loop.optimizer.state.items()
            if isinstance(value, mx.array)
        }
        self._group, loop.group = loop.group, loop.group.solo()
        self._random = checkpoints.random_key()
        loop.model.train()
        limit_pool(0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.loop.group = self._group
        self.loop.model.update(self._adapter)
        # Its moments were zero. A copy of them would count in the memory that is measured.
        self.loop.optimizer.state = self._counted
        self.loop.optimizer.init(self._adapter)
        checkpoints.restore_random(self._random)
        mx.clear_cache()
        limit_pool(runtime.CACHE_LIMIT_BYTES)
        mx.reset_peak_memory()

    def step(self, groups: Groups, *, checkpoint: bool, parts: int = 1) -> tuple[TimeSpent, int]:
        """One step of the loop; returns what it took and the bytes at its peak."""
        loop = self.loop
        self.fill([sample for rows in groups for sample in rows])
        before = loop.parts
        loop.parts = parts
        mx.reset_peak_memory()
        targets = sum(sample.targets for rows in groups for sample in rows)
        try:
            with adapter.gradient_checkpointing(loop.model, checkpoint):
                spent = time_spent(lambda: loop.train_step(loop.local_rows(groups), targets, 0.0))
        finally:
            loop.parts = before
        return spent, mx.get_peak_memory()

    def fill(self, samples: Sequence[TokenizedSample]) -> None:
        """Compute what is kept of rows, if anything is; it stays there."""
        for store in self.filling:
            if store.bytes_for(samples):
                self.filling[store] += time_spent(partial(store.fill, samples))

    def validate(self, samples: Sequence[TokenizedSample], size: int) -> tuple[TimeSpent, int]:
        """The loss of rows, as at a validation."""
        self.fill(samples)
        mx.reset_peak_memory()
        spent = time_spent(lambda: summed_loss(self.loop.loss, samples, size))
        return spent, mx.get_peak_memory()

    def answer(self, tokenizer: Any, prompts: Sequence[list[int]], tokens: int) -> TimeSpent:
        """Sample answers of so many tokens, reckoned from two short ones."""
        if not prompts:
            return TimeSpent()
        few, more = 2, 8

        def ask(count: int) -> TimeSpent:
            return time_spent(lambda: generate_texts(self.loop.model, tokenizer, prompts, count))

        ask(few)  # shapes are compiled, pages are read
        first, then = ask(few), ask(more)
        self.loop.model.train()
        each = TimeSpent(
            max(0.0, then.seconds - first.seconds) / (more - few),
            max(0.0, then.cpu_s - first.cpu_s) / (more - few),
        )
        return first + each.times(max(0, tokens - few))


def epoch_steps(loop: TrainingLoop) -> list[Groups]:
    """The rows of every step of the first epoch, as the loop takes them."""
    data = loop.data.train
    steps = batches.epoch_steps([sample.width for sample in data], loop.settings, 0)
    return [[[data[i] for i in rows] for rows in step] for step in steps]


def trainable_bytes(loop: TrainingLoop) -> int:
    """Of the adapter; gradients and both moments of the optimizer take as much each."""
    return sum(array.nbytes for _, array in tree_flatten(loop.model.trainable_parameters()))


def weights_bytes(model: Any) -> tuple[int, int]:
    """All weights of a model: how many numbers, and how many bytes."""
    arrays = [array for _, array in tree_flatten(model.parameters())]
    return sum(array.size for array in arrays), sum(array.nbytes for array in arrays)


def array_bytes() -> int:
    """Bytes in arrays that are alive now."""
    return mx.get_active_memory()


def limit_pool(needed: int) -> int:
    """Let MLX keep so many bytes of freed arrays for the next ones, and no more; returns how many.

    What one step frees is enough for the next. Without a bound the pool grows with every new shape
    of a batch, to twice and three times what is in use, and nobody can say how much a run takes.
    """
    limit = min(runtime.CACHE_LIMIT_BYTES, max(SMALLEST_POOL, needed))
    mx.set_cache_limit(limit)
    return limit


def other_bytes() -> int:
    """Bytes of this process that are no array: Python, libraries, code."""
    now = Path("/proc/self/statm")
    page = resource.getpagesize()
    has = int(now.read_text().split()[1]) * page if now.exists() else peak_resident_bytes()
    return max(0, has - mx.get_active_memory() - mx.get_cache_memory())


def peak_resident_bytes() -> int:
    """The most memory this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
