"""[dataset]: what is taught, and how it is split."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from exchange.settings import SettingsTable


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
    wordings: int = Field(
        0,
        ge=0,
        le=8,
        description="other wordings of a question that are taught beside it, at most; of a pair "
        "that valid or test_recall asks about, its first one stays there",
    )
    held_out: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the rephrased pairs that valid and test_recall ask about, where "
        "wordings are taught; those of the others are all taught",
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
