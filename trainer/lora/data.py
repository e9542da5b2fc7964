"""What the loop reads, and what can be said about a run before its first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainer.chat import Sample
from trainer.lora import adapter, batches
from trainer.lora.frozen import Frozen
from trainer.settings import Train
from trainer.watch import Plan


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is answered at every validation."""

    split: str
    question: str
    reference: str
    prompt: list[int]


@dataclass(frozen=True, slots=True)
class Data:
    """Rows in tokens."""

    train: list[Sample]
    valid: list[Sample]
    taught: list[Sample]  # a fixed part of train, to tell what was learned from what is guessed
    asked: list[Asked]
    too_long: int
    longest_allowed: int
    early_stop: bool = True  # validation asks about what is taught, so its loss says when to stop


def plan(data: Data, settings: Train, model: Any, layers: int, *, trunk: bool = False) -> Plan:
    """What the run is going to be, exactly; nothing is computed or written for it.

    Args:
        layers: how many of the last layers learn.
        trunk: the trunk cache is used.
    """
    lengths = [sample.length for sample in data.train]
    groups = batches.epoch(lengths, settings.batch, settings.seed, 0)
    trainable, parameters = adapter.count(model)
    return Plan(
        train_rows=len(data.train),
        valid_rows=len(data.valid),
        too_long=data.too_long,
        longest_allowed=data.longest_allowed,
        longest=max(lengths) + 1,
        tokens=sum(lengths),
        targets=sum(sample.targets for sample in data.train),
        computed=batches.computed(lengths, groups),
        epochs=settings.epochs,
        steps=settings.epochs * math.ceil(len(groups) / settings.accumulate),
        trainable=trainable,
        parameters=parameters,
        layers=layers,
        all_layers=len(model.layers),
        trunk_bytes=Frozen(model, layers).token_bytes()
        * (sum(lengths) + sum(sample.length for sample in data.valid)),
        trunk=trunk,
    )
