"""[promote]: what a run must show before it answers in place of the one before."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


class PromoteSettings(SettingsTable):
    """The settings of `kkoracle promote`."""

    questions: int = Field(
        300,
        ge=8,
        description="asked of each kind: old facts, new facts, general, and such that nobody can "
        "answer; the same ones every time, as far as they are still there",
    )
    allowed: float = Field(
        0.1,
        ge=0,
        le=1,
        description="part of what was known before that may be lost, at the worst end of the "
        "interval; two points of a share are always allowed",
    )
    contradictions: float = Field(
        0.2,
        ge=0,
        le=1,
        description="largest share of a story's pairs that answer earlier questions otherwise; "
        "`kkoracle live` does not teach what stories with more of them say",
    )
