"""Scales, their round numbers, and the frame of a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

WIDTH, HEIGHT = 720, 260  # of the picture's own units; it is scaled to the page
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 26, 26  # around the plot, for its labels
# Okabe and Ito's colours, which people with any colour vision can tell apart.
DASHED = 'stroke-dasharray="5 4"'
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")

_DAY = 86400
_TIMES = (
    60,
    300,
    900,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    _DAY,
    2 * _DAY,
    7 * _DAY,
    14 * _DAY,
    28 * _DAY,
    91 * _DAY,
    182 * _DAY,
    365 * _DAY,
)


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to places, with the round values to be named."""

    low: float
    high: float
    start: float  # place of `low`
    end: float  # place of `high`

    def place(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + part * (self.end - self.start)


def x_axis(low: float, high: float) -> Axis:
    """The axis along the bottom."""
    return Axis(low, max(high, low + 1e-9), LEFT, WIDTH - RIGHT)


def y_axis(low: float, high: float) -> Axis:
    """The axis along the left, from a round number to a round number."""
    step = _step((high - low) or abs(high) or 1.0, 4)
    floor = math.floor(low / step) * step
    ceiling = math.ceil(high / step) * step
    return Axis(floor, ceiling if ceiling > floor else floor + step, HEIGHT - BOTTOM, TOP)


def value_ticks(low: float, high: float, about: int = 4, least: float = 0.0) -> list[float]:
    """Round values between two others, about so many, not less than `least` apart."""
    step = max(_step((high - low) or 1.0, about), least)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def time_ticks(low: float, high: float, about: int = 6) -> list[tuple[float, str]]:
    """Round moments of local time between two others (seconds since the epoch), named."""
    span = high - low
    step = next((one for one in _TIMES if span / one <= about), 2 * _TIMES[-1])
    midnight = datetime.fromtimestamp(low).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for number in range(math.ceil((high - midnight.timestamp()) / step) + 1):
        # Days are counted on the calendar: one in March has 23 hours.
        moment = midnight + timedelta(seconds=number * step)
        if low <= moment.timestamp() <= high:
            shape = "%H:%M" if step < _DAY else "%-d %b" if step < 182 * _DAY else "%b %Y"
            if step < _DAY <= span and (moment.hour, moment.minute) == (0, 0):
                shape = "%-d %b"
            found.append((moment.timestamp(), moment.strftime(shape)))
    return found


def format_tick(value: float) -> str:
    """A number as short as a label needs it."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            scaled = value / (1e3 if letter == "k" else unit)
            return f"{scaled:.3g}{letter}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def svg_grid(across_at: Sequence[tuple[float, str]], up: Axis) -> str:
    """Lines and labels of both axes; `across_at` are places with their names."""
    parts = []
    for value in value_ticks(up.low, up.high):
        y = up.place(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">'
            f"{format_tick(value)}</text>"
        )
    parts += [
        f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 8}">{escape(name)}</text>'
        for x, name in across_at
    ]
    return "".join(parts)


def svg_legend(names: Sequence[tuple[str, str, bool]]) -> str:
    """Names with their colours, in a row above the plot; true for what is dashed."""
    parts, x = [], float(LEFT)
    for name, colour, dashed in names:
        mark = f'<rect x="{x:.0f}" y="6" width="10" height="10" rx="2" fill="{colour}"/>'
        if dashed:
            mark = f'<path d="M{x - 4:.0f} 11h15" stroke="{colour}" stroke-width="2" {DASHED}/>'
        parts.append(f'{mark}<text x="{x + 14:.0f}" y="15">{escape(name)}</text>')
        x += 26 + 7.4 * len(name)
    return "".join(parts)


def svg_figure(title: str, inside: str) -> str:
    """The whole plot under its title."""
    name = escape(title)
    return (
        f'<figure class="plot"><figcaption>{name}</figcaption><svg role="img" aria-label="{name}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg">{inside}</svg></figure>'
    )


def _step(span: float, about: int) -> float:
    """1, 2 or 5 times a power of ten, so that about so many fit into a span."""
    power = 10.0 ** math.floor(math.log10(span / about))
    return next((n * power for n in (1, 2, 5) if span / (n * power) <= about), 10 * power)
