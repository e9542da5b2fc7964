"""What the loop reads, and what can be said about a run before its first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainer.tokenization import TokenizedSample
from trainer.training import adapter, batches
from trainer.training.frozen_layers import FrozenLayers
from trainer.training.plan import RunPlan
from trainer.training.settings import TrainSettings


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


def plan_run(
    data: TrainingData, settings: TrainSettings, model: Any, layers: int, *, cached: bool = False
) -> RunPlan:
    """What the run is going to be, exactly; nothing is computed or written for it.

    Args:
        layers: how many of the last layers learn.
        cached: the activation cache is used.
    """
    lengths = [sample.length for sample in data.train]
    groups = batches.epoch_batches(lengths, settings.batch, settings.seed, 0)
    trainable, parameters = adapter.count_parameters(model)
    return RunPlan(
        train_rows=len(data.train),
        valid_rows=len(data.valid),
        too_long=data.too_long,
        longest_allowed=data.longest_allowed,
        longest=max(lengths) + 1,
        tokens=sum(lengths),
        targets=sum(sample.targets for sample in data.train),
        computed=batches.computed_tokens(lengths, groups),
        epochs=settings.epochs,
        steps=settings.epochs * math.ceil(len(groups) / settings.accumulate),
        trainable=trainable,
        parameters=parameters,
        layers=layers,
        all_layers=len(model.layers),
        cache_bytes=FrozenLayers(model, layers).token_bytes()
        * (sum(lengths) + sum(sample.length for sample in data.valid)),
        cached=cached,
    )
