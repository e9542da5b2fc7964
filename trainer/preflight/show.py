"""The forecast in words, for the table that is shown before a run starts."""

from __future__ import annotations

from datetime import datetime, timedelta

from trainer.preflight.fallback import said
from trainer.preflight.ready import Ready


def lines(ready: Ready, now: datetime) -> list[tuple[str, str]]:
    """Names and values."""
    forecast, way = ready.forecast, ready.way
    end = now + timedelta(seconds=forecast.ahead.seconds)
    ahead, whole = forecast.ahead, forecast.total
    energy = f"{forecast.kwh:.2g}" if forecast.kwh >= 0.01 else "under 0.01"
    found = {
        "memory": f"{said(forecast.peak_bytes)} at the peak, {said(forecast.limit_bytes)} may be "
        f"used; the whole process {said(forecast.process_bytes)}",
        "time": f"{span(ahead.seconds)} at most, until {when(now, end)} "
        f"({ready.tokens_per_s:,.0f} tokens/s)",
        "processor time": f"{span(ahead.cpu_s)}; {span(whole.cpu_s)} with what was spent so far",
        "energy": f"{energy} kWh at {forecast.watts:g} W",
        "disk": f"{said(forecast.disk_bytes)} at most",
    }
    if way.checkpoint:
        found["activations"] = "computed twice"
    if way.parts > 1:
        found["each batch"] = f"in {way.parts} parts"
    if ready.model:
        found["tuned instead"] = f"{ready.model}: give --model with it to the commands that follow"
    return list(found.items())


def span(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def when(now: datetime, end: datetime) -> str:
    """The end: by the clock today, else with its date."""
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%d %b %Y, %H:%M}"
