"""One run on several Macs: every process computes its share of each batch, the gradients add up.

Started by `mlx.launch`, every process runs the same command over the same rows in the same order,
with the same settings, model and dataset on its own disk. The leader alone writes into the
archive's folder and shows anything; the others keep what the loop writes in a folder that is
thrown away, and begin with the leader's state.

The weight of a row's gradient is one over the targets of the whole step, so the sum over the
processes is the gradient of one process that had computed all rows. Everything that decides what
happens next (a loss, a wish to stop) is summed or taken from the leader, so that all processes do
the same: a collective that only some of them reach never ends. A process alone is a group of one,
and then nothing here calls MLX.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from exchange import lock
from exchange.errors import UsageError
from trainer.training.runs import TrainingRun

T = TypeVar("T")
# Set by mlx.launch, for its own backends and for MPI.
RANK_VARIABLES = ("MLX_RANK", "OMPI_COMM_WORLD_RANK")


def is_launched() -> bool:
    """True when this process was started as one of several."""
    return any(os.environ.get(name) for name in RANK_VARIABLES)


def is_follower() -> bool:
    """True in every process but the one that writes and shows."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in RANK_VARIABLES)


class ProcessGroup:
    """All processes of one run; `leader` is true in the one that writes and shows."""

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.rank: int = group.rank() if group else 0
        self.size: int = group.size() if group else 1
        self.shards = self.size  # processes that share the rows of a batch

    @classmethod
    def join(cls) -> ProcessGroup:
        """The group that this process was launched in; alone where it was not."""
        if not is_launched():
            return cls()
        import mlx.core as mx

        return cls(mx.distributed.init(strict=True))

    @property
    def leader(self) -> bool:
        return self.rank == 0

    def solo(self) -> ProcessGroup:
        """The same share of the rows without the others: to measure in one process alone."""
        alone = ProcessGroup()
        alone.rank, alone.shards = self.rank, self.shards
        return alone

    def share(self, rows: Sequence[T]) -> list[T]:
        """This process's part of rows that are computed together; lengths are spread evenly."""
        return list(rows[self.rank :: self.shards])

    def sum(self, tree: Any) -> Any:
        """The sum over all processes, in one message for each type of number."""
        if self.size == 1:
            return tree
        import mlx.core as mx
        from mlx.utils import tree_flatten, tree_unflatten

        flat = tree_flatten(tree)
        summed: dict[str, Any] = {}
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
        import mlx.core as mx

        high = float(np.float32(value))  # two halves: MLX on a GPU knows no longer float
        halves: Any = self._sum(mx.array([high, value - high], mx.float32)).tolist()
        return float(halves[0]) + float(halves[1])

    def totals(self, values: list[float]) -> list[float]:
        """The sums of small whole numbers, one by one, the same in every process."""
        if self.size == 1:
            return values
        import mlx.core as mx

        summed: list[float] = self._sum(mx.array(values, mx.float32)).tolist()
        return summed

    def any(self, wish: bool) -> bool:
        """True in every process when it is true in one."""
        return wish if self.size == 1 else self.total(float(wish)) > 0

    def broadcast(self, data: bytes) -> bytes:
        """The leader's bytes, in every process."""
        if self.size == 1:
            return data
        import mlx.core as mx

        length = int(self.total(float(len(data) if self.leader else 0)))
        own = np.frombuffer(data, np.uint8) if self.leader else np.zeros(length, np.uint8)
        return np.array(self._sum(mx.array(own))).tobytes() if length else b""

    def check_equal(self, what: str, value: str) -> None:
        """Refuse to begin where one process has something else than the leader.

        Raises:
            UsageError: in every process, when any of them differs.
        """
        own = blake2b(value.encode(), digest_size=16).digest()
        if self.any(self.broadcast(own) != own):
            raise UsageError(
                f"the machines do not have the same {what} (here: {value}): copy the leader's "
                "config, model and dataset to each of them"
            )

    def _sum(self, array: Any) -> Any:
        import mlx.core as mx

        done = mx.distributed.all_sum(array, group=self._group)
        mx.eval(done)
        return done


@contextmanager
def group_gpu_lock(data: Path, group: ProcessGroup) -> Iterator[None]:
    """This machine's GPU, once: processes beside the leader on one machine are under its lock.

    Raises:
        UserError: somebody else has it.
    """
    here = platform.node()
    leader = group.broadcast(here.encode()).decode()
    with nullcontext() if leader == here and not group.leader else lock.hold_gpu(data):
        yield


@contextmanager
def follower_run(run: TrainingRun, group: ProcessGroup) -> Iterator[TrainingRun]:
    """The run to write to: the leader's own, and for the others one that is thrown away.

    The others begin with the leader's state, so that all go on from the same step.
    """
    from trainer.training import checkpoints

    if group.size == 1:
        yield run
        return
    stored = run.folder / checkpoints.FILE
    if group.leader:
        group.broadcast(stored.read_bytes() if stored.exists() else b"")
        yield run
        return
    found = group.broadcast(b"")
    with TemporaryDirectory(prefix="kkoracle-") as scratch:
        own = TrainingRun(Path(scratch), run.name)
        own.folder.mkdir(parents=True)
        if found:
            (own.folder / checkpoints.FILE).write_bytes(found)
        yield own
