"""[score]: how a scorer is taught, and when it abstains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from trainer.training.settings import RecipeName, TrainSettings, fine_tune


class ScoreSettings(TrainSettings):
    """The settings of `kkoracle score`; what is not named here is as in [train]."""

    lr: float = Field(
        2e-4, gt=0, le=1, description="peak learning rate; a tiny model trained in full takes 2e-3"
    )
    epochs: int = Field(3, ge=1, le=1000, description="times that every row is seen")
    batch: int = Field(16, ge=1, le=1024, description="rows computed together")
    weight_decay: float = Field(0.01, ge=0, lt=1, description="of AdamW; labels are noisy")
    recipe: RecipeName = Field(
        "sft", description="how a decoder is taught: sft, dora or full, as in [train]"
    )
    samples: int = Field(0, ge=0, le=64, description="no answers are written while it learns")
    prompt: str = Field(
        "brief", description="how it is asked: brief, or full for a base that was never taught"
    )
    only_digits: bool = Field(
        True, description="the loss weighs the ten digits against each other, not the vocabulary"
    )
    unseen: float = Field(
        0.1, gt=0, lt=0.5, description="share of questions never taught, to test on"
    )
    test: float = Field(
        0.1, gt=0, lt=0.5, description="share of the other questions' answers, to test on"
    )
    valid: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="share of them to fit temperature and threshold on, and to stop early",
    )
    agreement: float = Field(
        0.8,
        gt=0,
        le=1,
        description="it abstains below the confidence from which this share is exactly right",
    )
    candidates: Literal["auto", "regression", "decoder"] = Field(
        "auto",
        description="what is tried: regressions in seconds, the tuned decoder, or, with auto, "
        "both where that takes no longer than `hours`",
    )
    encoder: str = Field(
        "",
        description="a frozen encoder whose vectors regressions may use: Hub name or folder of a "
        "BERT or XLM-R, such as intfloat/multilingual-e5-small; `model` for the hidden states of "
        "[model]; empty for none",
    )
    hours: float = Field(
        0.5, ge=0, description="longest training of the decoder that auto begins, by estimate"
    )
    key: str = Field("kkoracle", min_length=1, description="seed of the split")

    @field_validator("recipe")
    @classmethod
    def _has_labels_to_learn(cls, recipe: RecipeName) -> RecipeName:
        """The others change what an answer's tokens are taught; a scorer learns one digit."""
        if fine_tune(recipe) == "lora" and recipe != "sft":
            raise ValueError(f"a scorer is taught a label, with sft, dora or full, not {recipe}")
        return recipe
