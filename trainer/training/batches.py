"""What the loop reads: rows in tokens, which of them are computed together, and their arrays.

The order is a pure function of lengths and a seed; only `make_batch` and `plan_run` need MLX.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from exchange.inference.batch_width import padded_length
from trainer.dataset import DatasetRow
from trainer.tokenization import TokenizedSample
from trainer.training.plan import RunPlan
from trainer.training.preference import PreferencePairs
from trainer.training.settings import TrainSettings

if TYPE_CHECKING:
    from mlx.core import array as Array

T = TypeVar("T")
HiddenStates = Callable[[Sequence[TokenizedSample], int], "Array"]


@dataclass(frozen=True, slots=True)
class SamplePrompt:
    """A question that is answered at every validation."""

    split: str
    question: str
    reference: str
    prompt: list[int]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows in tokens."""

    train: list[TokenizedSample]
    valid: list[TokenizedSample]
    train_sample: list[TokenizedSample]  # fixed; what is learned of the rows that are taught
    prompts: list[SamplePrompt]
    too_long: int
    longest_allowed: int
    early_stop: bool = True  # validation asks about what is taught, so its loss says when to stop
    facts: Mapping[str, DatasetRow] = field(default_factory=dict)  # rows of train, by id
    # The last rows of `train` as an epoch shows them, of about the same lengths in each.
    redrawn: Callable[[int], Sequence[TokenizedSample]] = lambda epoch: ()

    def train_in(self, epoch: int) -> list[TokenizedSample]:
        """The rows of train as an epoch shows them; those of epoch 0 are `train`."""
        if not epoch or not (last := self.redrawn(epoch)):
            return self.train
        return [*self.train[: -len(last)], *last]


def epoch_batches(
    lengths: Sequence[int],
    size: int,
    seed: int,
    number: int,
    rows: Sequence[int] | None = None,
) -> list[list[int]]:
    """Row indices in batches of rows of about the same length.

    Longest first when cut, so that the one batch that is not full holds the shortest rows; equal
    lengths are mixed anew in every epoch, and the batches come in an order of their own.

    Args:
        rows: which, where some are to come more than once or not at all; default: all, once each.
    """
    rng = random.Random(f"{seed}:{number}")
    order = list(range(len(lengths)) if rows is None else rows)
    rng.shuffle(order)
    order.sort(key=lambda index: -padded_length(lengths[index]))
    if rows is not None:
        order = _apart(order, lengths)
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def epoch_steps(
    lengths: Sequence[int],
    settings: TrainSettings,
    number: int,
    rows: Sequence[int] | None = None,
) -> list[list[list[int]]]:
    """The row indices of every step of an epoch, in the batches that are computed together.

    Which rows share a step hangs on `batch` times `accumulate` alone: in smaller batches, more of
    them, a run sees the same rows at each step.
    """
    size = settings.batch
    together = epoch_batches(lengths, size * settings.accumulate, settings.seed, number, rows)
    return [[step[at : at + size] for at in range(0, len(step), size)] for step in together]


def _apart(order: Sequence[int], lengths: Sequence[int]) -> list[int]:
    """Among rows of one padded length all first, then all seconds: a batch rarely holds one row
    twice, which would only be that row with twice the weight."""
    seen: Counter[int] = Counter()
    turns = []
    for index in order:
        turns.append((-padded_length(lengths[index]), seen[index]))
        seen[index] += 1
    return [order[at] for at in sorted(range(len(order)), key=turns.__getitem__)]


def split_rows(rows: Sequence[T], count: int) -> list[list[T]]:
    """The same rows in at most `count` runs of about one size, none of them empty."""
    size = -(-len(rows) // count) if rows else 1
    return [list(rows[at : at + size]) for at in range(0, len(rows), size)]


def fixed_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """All row indices in batches by length, always the same: for validation."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[at : at + size] for at in range(0, len(order), size)]


def computed_tokens(batches: Iterable[Sequence[TokenizedSample]]) -> int:
    """Tokens that are computed to learn these batches, pads included."""
    lengths = ([row.length for sample in batch for row in sample.rows()] for batch in batches)
    return sum(len(each) * padded_length(max(each)) for each in lengths)


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """What the teacher says at each target of a batch."""

    ids: Array  # (targets, top) its most probable tokens
    logprobs: Array  # (targets, top) of them, float32
    share: Array  # (targets,) of this in the loss; 0 for a row without a teacher


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Rows of about one length. Pads stand right of the rows, where a causal model never looks."""

    inputs: Array  # (rows, length) token ids
    places: Array  # (targets,) where in the flattened inputs each target is predicted
    targets: Array  # (targets,) token ids
    tokens: int  # positions that are no pads, prompt included
    hidden: Array | None = None  # (rows, length, width) at the first tuned layer, if kept
    taught: TeacherTargets | None = None  # what the teacher says at each target
    pairs: PreferencePairs | None = None  # rejected answers stand in the last rows

    @property
    def size(self) -> int:
        """How many targets there are, those of rejected answers not counted."""
        return self.pairs.size if self.pairs else int(self.targets.size)


def make_batch(
    samples: Sequence[TokenizedSample],
    hidden: HiddenStates | None = None,
    taught: TeacherTargets | None = None,
    *,
    paired: bool = False,
) -> TrainingBatch:
    """Lay rows into arrays; the last token of a row is only ever a target.

    Args:
        hidden: gives the activations of rows below the tuned layers at a padded length, so that
            the frozen layers are not computed again (`ActivationCache.hidden`).
        taught: what the teacher says of these rows.
        paired: rejected answers are computed too.
    """
    import mlx.core as mx

    rows = [sample.rows()[0] for sample in samples]
    pairs = PreferencePairs.of(samples) if paired else None
    if pairs:
        rows += [sample.rejected for sample in samples if sample.rejected]
    length = padded_length(max(row.length for row in rows))
    inputs = np.zeros((len(rows), length), np.int32)
    places, targets = [], []
    for number, sample in enumerate(rows):
        inputs[number, : sample.length] = sample.tokens[:-1]
        first = number * length + sample.start - 1
        places.append(np.arange(first, first + sample.targets, dtype=np.int32))
        targets.append(np.array(sample.tokens[sample.start :], np.int32))
    return TrainingBatch(
        mx.array(inputs),
        mx.array(np.concatenate(places)),
        mx.array(np.concatenate(targets)),
        sum(row.length for row in rows),
        hidden(rows, length) if hidden else None,
        taught,
        pairs,
    )


def plan_run(
    data: TrainingData,
    settings: TrainSettings,
    model: Any,
    layers: int,
    *,
    cached: bool = False,
    teacher: tuple[int, int] = (0, 0),
) -> RunPlan:
    """What the run is going to be, exactly; nothing is computed or written for it.

    Args:
        layers: how many of the last layers learn.
        cached: the activation cache is used.
        teacher: how many rows have one, and the bytes that its logits take.
    """
    from trainer.training import adapter
    from trainer.training.frozen_layers import FrozenLayers

    lengths = [sample.length for sample in data.train]
    widths = [sample.width for sample in data.train]
    steps = epoch_steps(widths, settings, 0)
    trainable, parameters = adapter.count_parameters(model)
    return RunPlan(
        train_rows=len(data.train),
        valid_rows=len(data.valid),
        too_long=data.too_long,
        longest_allowed=data.longest_allowed,
        longest=max(widths) + 1,
        tokens=sum(lengths),
        targets=sum(sample.targets for sample in data.train),
        computed=computed_tokens([data.train[i] for i in rows] for step in steps for rows in step),
        epochs=settings.epochs,
        steps=settings.epochs * len(steps),
        trainable=trainable,
        parameters=parameters,
        layers=layers,
        all_layers=len(model.layers),
        cache_bytes=FrozenLayers(model, layers).token_bytes()
        * (sum(lengths) + sum(sample.length for sample in data.valid)),
        cached=cached,
        teacher_rows=teacher[0],
        teacher_bytes=teacher[1],
        pairs=sum(sample.rejected is not None for sample in data.train),
    )
