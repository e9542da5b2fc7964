"""[publish]: what the card and the names say."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


class PublishSettings(SettingsTable):
    """The settings of `kkoracle publish`."""

    newspaper: str = Field(
        "", description="its name, as the card should give it; empty: the archive's name"
    )
    license: str = Field(
        "",
        description="the model's licence as the Hub spells it (apache-2.0); empty: other, since "
        "the newspaper has rights in the text",
    )
    rights: str = Field(
        "", description="what you have agreed with the newspaper; printed on the card word for word"
    )
    scale: float = Field(
        1.0,
        gt=0,
        le=1,
        description="strength of the adapter; less of it knows less, and has forgotten less",
    )
    rows: int = Field(
        128, ge=0, description="rows of each split that the fused model is measured on; 0: none"
    )
