"""Several machines, one run: every process computes its share of each batch, the gradients add up.

Started by `mlx.launch`, every process runs the same command over the same rows in the same order.
The weight of a row's gradient is one over the targets of the whole step, so the sum over the
processes is the gradient of one process that had computed all rows. A process alone is a group of
one, and then nothing here calls MLX.

Everything that decides what happens next (a loss, a wish to stop) is summed or taken from the
leader, so that all processes do the same: a collective that only some of them reach never ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from exchange.errors import UsageError
from trainer.several import launched

T = TypeVar("T")


class Group:
    """All processes of one run; `leader` is true in the one that writes and shows."""

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.rank: int = group.rank() if group else 0
        self.size: int = group.size() if group else 1
        self.deal = self.size  # among how many the rows are shared

    @classmethod
    def join(cls) -> Group:
        """The group that this process was launched in; alone where it was not."""
        return cls(mx.distributed.init(strict=True)) if launched() else cls()

    @property
    def leader(self) -> bool:
        return self.rank == 0

    def muted(self) -> Group:
        """The same share of the rows, and nothing is said to the others: to measure alone."""
        alone = Group()
        alone.rank, alone.deal = self.rank, self.deal
        return alone

    def share(self, rows: Sequence[T]) -> list[T]:
        """This process's part of rows that are computed together; lengths are dealt evenly."""
        return list(rows[self.rank :: self.deal])

    def sum(self, tree: Any) -> Any:
        """The sum over all processes, in one message for each type of number."""
        if self.size == 1:
            return tree
        flat = tree_flatten(tree)
        summed: dict[str, mx.array] = {}
        for dtype in {array.dtype for _, array in flat}:
            parts = [(name, array) for name, array in flat if array.dtype == dtype]
            whole = self._sum(mx.concatenate([array.reshape(-1) for _, array in parts]))
            at = 0
            for name, array in parts:
                summed[name] = whole[at : at + array.size].reshape(array.shape)
                at += array.size
        return tree_unflatten([(name, summed[name]) for name, _ in flat])

    def total(self, value: float) -> float:
        """The sum of a number, the same bits in every process."""
        if self.size == 1:
            return value
        high = float(np.float32(value))  # two halves: MLX on a GPU knows no longer float
        halves: Any = self._sum(mx.array([high, value - high], mx.float32)).tolist()
        return float(halves[0]) + float(halves[1])

    def any(self, wish: bool) -> bool:
        """True in every process when it is in one."""
        return wish if self.size == 1 else self.total(float(wish)) > 0

    def from_leader(self, data: bytes) -> bytes:
        """The leader's bytes, in every process."""
        if self.size == 1:
            return data
        length = int(self.total(float(len(data) if self.leader else 0)))
        own = np.frombuffer(data, np.uint8) if self.leader else np.zeros(length, np.uint8)
        return np.array(self._sum(mx.array(own))).tobytes() if length else b""

    def agree(self, what: str, value: str) -> None:
        """Refuse to begin where one process has something else than the leader.

        Raises:
            UsageError: in every process, when any of them differs.
        """
        mine = blake2b(value.encode(), digest_size=16).digest()
        if self.any(self.from_leader(mine) != mine):
            raise UsageError(
                f"the machines do not have the same {what} (here: {value}): copy the leader's "
                "config, model and dataset to each of them"
            )

    def _sum(self, array: mx.array) -> mx.array:
        done: mx.array = mx.distributed.all_sum(array, group=self._group)
        mx.eval(done)
        return done
