"""What a machine draws while it works, for the kilowatt-hours of an estimate."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import Table


class Power(Table):
    """[power]"""

    watts: float = Field(
        65,
        gt=0,
        le=100_000,
        description="what this machine draws while it works; 65: the most that Apple states for a "
        "Mac mini with M4 (testers measured 40 to 45)",
    )


def kwh(watts: float, seconds: float) -> float:
    """Energy of so many seconds at work."""
    return watts * seconds / 3.6e6
