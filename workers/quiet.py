"""Quiet hours: a machine that people sleep beside takes no new work at night."""

from __future__ import annotations

from datetime import datetime, time


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
