"""[work]: how pairs are generated."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from exchange.settings import Config, PersonaSettings, SettingsTable

if TYPE_CHECKING:
    from exchange.recipes.recipe import Recipe
    from exchange.recipes.registry import PromptRegistry


class WorkSettings(SettingsTable):
    """The settings of a generation worker."""

    engine: Literal["mlx", "openai"] = Field(
        "mlx", description="mlx: in this process; openai: any OpenAI-compatible endpoint"
    )
    width: int = Field(
        0,
        ge=0,
        le=256,
        description="requests decoded together; 0: 32, or fewer if memory is short",
    )
    prompt: str = Field(
        "chunk", description="the prompt that asks for pairs, in the archive's language; or a file"
    )
    max_tokens: int = Field(640, ge=16, description="longest completion, in tokens")
    temperature: float = Field(0.0, ge=0, le=2, description="0: greedy, the same text every time")
    top_p: float = Field(
        1.0, gt=0, le=1, description="sample from the likeliest tokens of this much probability"
    )
    seed: int = Field(7, description="start of every task's own seed")
    lease_s: int = Field(
        60, ge=4, le=1800, description="seconds after which a silent worker's jobs go to others"
    )
    grace_s: int = Field(30, ge=0, description="seconds to finish what is in flight after Ctrl-C")
    quiet: str = Field(
        "",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description='local hours without new work, such as "23:00-07:00"; empty: none',
    )
    deadline_s: float = Field(
        300, ge=0, description="mlx: a completion that takes longer ends with what it has; 0: never"
    )
    watchdog_s: float = Field(
        120, ge=0, description="mlx: without a token for so long the worker restarts; 0: never"
    )
    verify: bool = Field(
        False,
        description="let the model answer each accepted question again from its text, and keep "
        "how well that agrees; reads and writes about as many tokens as the pairs themselves",
    )
    url: str = Field("http://127.0.0.1:8000/v1", description="endpoint of the openai engine")
    api_key: str = Field("", description="its key, if it wants one; better in the environment")
    served_as: str = Field("", description="the model's name at the endpoint, if it differs")


def is_quiet(hours: str, moment: time | None = None) -> bool:
    """True inside `hours`, such as "23:00-07:00" in local time; "" has no quiet hours.

    The start belongs to the quiet, the end does not. An end before the start is the next day's.
    """
    if not hours:
        return False
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    current = moment or datetime.now().time()
    if start <= end:
        return start <= current < end
    return current >= start or current < end


def prompt_registry(config: Config) -> PromptRegistry:
    """The prompts and recipes of the settings as they are now."""
    from exchange.inference.models import ModelSettings
    from exchange.recipes.registry import PromptRegistry

    model = config.table("model", ModelSettings)
    return PromptRegistry(
        config.table("work", WorkSettings), model.name, config.table("persona", PersonaSettings)
    )


def current_recipe(config: Config, language: str = "") -> Recipe:
    """The recipe that the settings ask for now; `language` is the newspaper's."""
    return prompt_registry(config).recipe(language)
