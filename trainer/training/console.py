"""The forecast in words, for the table that is shown before a run starts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from trainer.training.preflight.memory_fallback import format_bytes
from trainer.training.preflight.plan import PreflightPlan


def forecast_lines(ready: PreflightPlan, now: datetime) -> list[tuple[str, str]]:
    """Names and values."""
    forecast, way = ready.forecast, ready.way
    end = now + timedelta(seconds=forecast.ahead.seconds)
    ahead, whole = forecast.ahead, forecast.total
    energy = f"{forecast.kwh:.2g}" if forecast.kwh >= 0.01 else "under 0.01"
    found = {
        "memory": f"{format_bytes(forecast.peak_bytes)} at the peak, {format_bytes(forecast.limit_bytes)} may be "
        f"used; the whole process {format_bytes(forecast.process_bytes)}",
        "time": f"{format_duration(ahead.seconds)} at most, until {format_end(now, end)} "
        f"({ready.tokens_per_s:,.0f} tokens/s)",
        "processor time": f"{format_duration(ahead.cpu_s)}; {format_duration(whole.cpu_s)} with what was spent so far",
        "energy": f"{energy} kWh at {forecast.watts:g} W",
        "disk": f"{format_bytes(forecast.disk_bytes)} at most",
    }
    if way.checkpoint:
        found["activations"] = "computed twice"
    if way.parts > 1:
        found["each batch"] = f"in {way.parts} parts"
    if ready.model:
        found["tuned instead"] = f"{ready.model}: give --model with it to the commands that follow"
    return list(found.items())


def format_duration(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def format_end(now: datetime, end: datetime) -> str:
    """The end: by the clock today, else with its date."""
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%d %b %Y, %H:%M}"


# The loss curve as text: a terminal is where a run is watched.

Point = tuple[int, float]  # step, loss
TRAIN, VALID = "·", "o"


def plot_losses(
    train: Sequence[Point], valid: Sequence[Point], width: int = 64, height: int = 10
) -> str:
    """A small plot: train as a mean per column, validations as rings; "" without a point.

    Args:
        width: columns of the plot, its axis not counted.
    """
    if not train and not valid:
        return ""
    last = max(step for step, _ in [*train, *valid])
    columns = [(step * (width - 1) // max(1, last), loss) for step, loss in train]
    means: dict[int, float] = {}
    for column in sorted({column for column, _ in columns}):
        losses = [loss for at, loss in columns if at == column]
        means[column] = sum(losses) / len(losses)
    rings = [(step * (width - 1) // max(1, last), loss) for step, loss in valid]
    values = [*means.values(), *(loss for _, loss in rings)]
    low, high = min(values), max(values)
    grid = [[" "] * width for _ in range(height)]
    for mark, points in ((TRAIN, list(means.items())), (VALID, rings)):
        for column, loss in points:
            part = (high - loss) / (high - low) if high > low else 0.0
            grid[round(part * (height - 1))][column] = mark
    labels = {0: f"{high:.2f}", height - 1: f"{low:.2f}"}
    lines = [
        f"{labels.get(number, ''):>7} |{''.join(row).rstrip()}" for number, row in enumerate(grid)
    ]
    lines.append(" " * 8 + "+" + "-" * width)
    lines.append(f"{'':9}step 0{f'step {last}':>{width - 6}}")
    lines.append(f"{'':9}{TRAIN} training loss   {VALID} validation loss (nats per answer token)")
    return "\n".join(lines)
