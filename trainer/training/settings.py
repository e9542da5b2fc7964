"""[dataset] and [train]: what is taught, and how."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from exchange.settings import SettingsTable
from trainer.training.recipes import RECIPES, Decay, RecipeName


class DatasetSettings(SettingsTable):
    """The settings of `kkoracle dataset build`."""

    unseen: float = Field(
        0.05, gt=0, le=0.5, description="share of clusters never trained on; more if under 60 are"
    )
    valid: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="share of clusters to validate on, while there are too few rephrasings",
    )
    recall: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of the rephrased pairs that test recall; valid: the rest",
    )
    cutoff: str = Field(
        "",
        pattern=r"^(\d{4}-\d\d-\d\d)?$",
        description="stories printed later are never taught; empty: the first build's last date",
    )
    key: str = Field(
        "kkoracle", min_length=1, description="seed of the split; another key, another split"
    )
    system: bool = Field(
        True, description="put the persona's system message before every question, if it has one"
    )
    scorer: str = Field("", description="whose scores count, by name; empty: the newest")
    min_score: float = Field(
        0.0, ge=0, description="rows with a score below are left out; rows without one stay"
    )
    refusals: float = Field(
        0.08, ge=0, lt=0.5, description="largest share of refusals in train: against invention"
    )
    corrections: float = Field(
        0.03, ge=0, lt=0.5, description="largest share of corrected false premises"
    )
    replay: float = Field(
        0.10,
        ge=0,
        lt=0.5,
        description="largest share of the base's own answers: against forgetting",
    )
    text: float = Field(
        0.0, ge=0, lt=0.9, description="share of the paper's own text, taught as completions"
    )
    short: float = Field(
        0.30, ge=0, le=1, description="share of answers up to 60 characters, if balanced"
    )
    medium: float = Field(0.50, ge=0, le=1, description="up to 240 characters")
    long: float = Field(0.20, ge=0, le=1, description="longer ones")
    balance: bool = Field(
        False, description="leave rows out until the lengths fit; each one is a fact not taught"
    )
    answer_cap: int = Field(
        50, ge=0, description="rows with one and the same answer; 0: any number"
    )
    entity_share: float = Field(
        0.05, ge=0, le=1, description="largest share of rows that ask about one name; 0: any"
    )

    @model_validator(mode="after")
    def _leave_something_to_learn(self) -> Self:
        if self.valid + self.unseen > 0.8:
            raise ValueError("valid and unseen together leave less than a fifth to train on")
        if self.refusals + self.corrections + self.replay > 0.6:
            raise ValueError("refusals, corrections and replay leave too little of the newspaper")
        if abs(self.short + self.medium + self.long - 1) > 1e-6:
            raise ValueError("short, medium and long must add up to 1")
        return self


class TrainSettings(SettingsTable):
    """The settings of `kkoracle train`; a recipe brings defaults of its own."""

    recipe: RecipeName = Field(
        "sft",
        description="sft: questions and answers; sft+text: and the paper's own text; dora; full",
    )
    rank: int = Field(
        16,
        ge=1,
        le=1024,
        description="width of the adapter; 16 to 32 hold an archive's facts, fewer forget some",
    )
    alpha: float = Field(
        32,
        gt=0,
        le=4096,
        description="strength, scaled by alpha / rank; twice the rank, so that lr means the same",
    )
    layers: int = Field(
        0,
        ge=0,
        description="how many of the last layers are tuned; 0: all, which learns most (16 where "
        "memory asks)",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="in the adapter; facts are to be memorised, so none"
    )
    lr: float = Field(
        2e-4,
        gt=0,
        le=1,
        description="peak learning rate; 1e-4 to 2e-4 for 7B, more for small ones, a tenth for "
        "full; `kkoracle sweep` finds it",
    )
    weight_decay: float = Field(
        0.0, ge=0, lt=1, description="of AdamW; a low-rank adapter needs none"
    )
    warmup: float = Field(
        0.03, ge=0, lt=1, description="share of steps in which the rate rises from zero"
    )
    decay: Decay = Field(
        "cosine", description="how the rate falls after that; to nothing, so that the end is calm"
    )
    clip: float = Field(
        1.0, ge=0, description="largest gradient norm; one odd batch cannot undo a day; 0: off"
    )
    epochs: int = Field(3, ge=1, le=1000, description="times that every row is seen")
    patience: int = Field(
        3,
        ge=0,
        description="validations in a row without a lower loss before a run ends early; 0: never. "
        "Only where validation asks about what is taught",
    )
    batch: int = Field(8, ge=1, le=1024, description="rows computed together; memory grows with it")
    accumulate: int = Field(
        1, ge=1, le=1024, description="batches summed before one step, weighted by their tokens"
    )
    max_length: int = Field(
        1024, ge=16, description="longest row in tokens; longer ones are counted and left out"
    )
    grad_checkpoint: bool = Field(
        False, description="compute activations twice: about a third slower, far less memory"
    )
    memory_gb: float = Field(
        0.0, ge=0, description="memory that a run's arrays may take; 0: what is free at its start"
    )
    trunk_gb: float = Field(
        4.0,
        ge=0,
        description="disk for activations below the tuned layers that is taken without asking; "
        "more is asked for, 0: none",
    )
    seed: int = Field(7, ge=0, lt=2**32, description="of the adapter's start and the rows' order")
    evaluate_every: int = Field(
        0, ge=0, description="steps between two validations; 0: once an epoch"
    )
    save_every: int = Field(
        50, ge=1, description="steps between two states to resume from: what a kill can cost"
    )
    samples: int = Field(
        4, ge=0, le=64, description="questions answered at every validation, half of them trained"
    )
    sample_tokens: int = Field(64, ge=1, le=4096, description="longest of these answers, in tokens")

    @model_validator(mode="before")
    @classmethod
    def _begin_with_the_recipe(cls, given: Any) -> Any:
        name = given.get("recipe") if isinstance(given, dict) else None
        return {**RECIPES[name], **given} if name in list(RECIPES) else given
