"""Scales, their round numbers, and curves of no more points than can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

Points = Sequence[tuple[float, float]]

_HOUR, _DAY = 3600, 86400
_TIMES = (
    *(60, 300, 900, 1800),
    *(_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 182 * _DAY, 365 * _DAY),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to places."""

    low: float
    high: float
    start: float  # place of `low`
    end: float  # place of `high`

    def place(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + part * (self.end - self.start)


def rounded_axis(low: float, high: float, start: float, end: float) -> Axis:
    """An axis from a round number to a round number."""
    step = _step((high - low) or abs(high) or 1.0, 4)
    floor = math.floor(low / step) * step
    ceiling = math.ceil(high / step) * step
    return Axis(floor, ceiling if ceiling > floor else floor + step, start, end)


def value_ticks(low: float, high: float, about: int = 4, least: float = 0.0) -> list[float]:
    """Round values between two others, at most about so many, not less than `least` apart.

    Zero is one of them if it lies between.
    """
    step = max(_step((high - low) or 1.0, about), least)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def time_ticks(low: float, high: float, about: int = 6) -> list[tuple[float, str]]:
    """Round moments of local time between two others (seconds since the epoch), named."""
    span = high - low
    step = next((one for one in _TIMES if span / one <= about), 2 * _TIMES[-1])
    midnight = datetime.fromtimestamp(low).replace(hour=0, minute=0, second=0, microsecond=0)
    found: dict[float, str] = {}
    for number in range(math.ceil((high - midnight.timestamp()) / step) + 1):
        # Days are counted on the calendar: one in March has 23 hours.
        at = (midnight + timedelta(seconds=number * step)).timestamp()
        moment = datetime.fromtimestamp(at)  # an hour that summer time leaves out is the next one
        if low <= at <= high:
            shape = "%H:%M" if step < _DAY else "%-d %b" if step < 182 * _DAY else "%b %Y"
            if step < _DAY <= span and (moment.hour, moment.minute) == (0, 0):
                shape = "%-d %b"
            found[at] = moment.strftime(shape)
    return list(found.items())


def format_tick(value: float) -> str:
    """A number as short as a label needs it, with a typographic minus."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            scaled = value / (1e3 if letter == "k" else unit)
            return f"{scaled:.3g}{letter}".replace("-", "−")
    shown = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return shown.replace("-", "−")


def downsample(points: Points, columns: int) -> list[tuple[float, float]]:
    """At most so many points, each the mean of its neighbours; first and last stay."""
    if len(points) <= columns:
        return list(points)
    inner, parts = points[1:-1], columns - 2
    found = [points[0]]
    for number in range(parts):
        part = inner[len(inner) * number // parts : len(inner) * (number + 1) // parts]
        found.append((fmean(at for at, _ in part), fmean(value for _, value in part)))
    return [*found, points[-1]]


def _step(span: float, about: int) -> float:
    """1, 2 or 5 times a power of ten, so that about so many fit into a span."""
    power = 10.0 ** math.floor(math.log10(span / about))
    return next((n * power for n in (1, 2, 5) if span / (n * power) <= about), 10 * power)
