"""[plan]: which other tasks are made from what was crawled and generated, and how many."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


class PlanSettings(SettingsTable):
    """The shares of the kinds of task beside the chunk ones; 0 leaves a kind out."""

    dense: float = Field(
        0.30, ge=0, le=1, description="share of chunks, the richest, asked for a summary or so"
    )
    whois: float = Field(
        0.05, ge=0, le=1, description="who-is tasks for each chunk, the most named first"
    )
    rephrase: float = Field(
        0.05, ge=0, le=0.5, description="share of kept pairs asked in other words; never in train"
    )
    rephrase_least: int = Field(600, ge=0, description="rephrased pairs wanted at least")
    refusal: float = Field(
        0.06, ge=0, le=0.25, description="share of kept pairs turned into what nobody can answer"
    )
    correction: float = Field(
        0.03, ge=0, le=0.25, description="share of kept pairs asked with a false year or name"
    )
    replay: float = Field(
        0.10, ge=0, le=1, description="general questions for each kept pair, as far as there are"
    )
