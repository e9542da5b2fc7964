"""What the preflight found, kept with the run: one that goes on is computed as it began."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.files import write_atomic
from trainer.training.preflight.forecast import RunForecast, TimeSpent
from trainer.training.preflight.memory_fallback import ComputeMode

FILE = "preflight.json"


@dataclass(frozen=True, slots=True)
class PreflightPlan:
    """How a run is going to be computed, why so, and what it takes."""

    way: ComputeMode
    reasons: tuple[str, ...]
    forecast: RunForecast
    tokens_per_s: float  # true tokens, over whole steps
    model: str = ""  # folder of the 4-bit copy that is tuned instead; "" for the model asked for

    def save(self, folder: Path) -> None:
        """Write it into the run's folder."""
        told = {**asdict(self), "process_bytes": self.forecast.process_bytes}
        write_atomic(folder / FILE, orjson.dumps(told, option=orjson.OPT_INDENT_2))

    def left(self, share: float) -> Self:
        """The same for a run of which only this share is still to be done."""
        forecast = replace(
            self.forecast, ahead=self.forecast.ahead.times(share), before=TimeSpent()
        )
        return replace(self, forecast=forecast)


def load_preflight(folder: Path) -> PreflightPlan | None:
    """What was found when the run began; None where nothing usable is stored."""
    try:
        told: dict[str, Any] = orjson.loads((folder / FILE).read_bytes())
        told.pop("process_bytes")
        forecast = told.pop("forecast")
        for name in ("ahead", "before", "probe"):
            forecast[name] = TimeSpent(**forecast[name])
        return PreflightPlan(
            way=ComputeMode(**told.pop("way")),
            reasons=tuple(told.pop("reasons")),
            forecast=RunForecast(**forecast),
            **told,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # by another version, or never written: it is measured again
