"""The Retry-After header of HTTP (RFC 9110, 10.2.3): seconds, or a date."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

LONGEST_ASKED_S = 7 * 86_400.0  # beyond a week it is a mistake, or a joke


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, in either of its forms; None if malformed.

    A negative number is malformed: taken at its word it would end the pause before it began.
    """
    if not header:
        return None
    value = header.strip()
    if value.isdecimal() and value.isascii():
        return min(float(value[:12]), LONGEST_ASKED_S)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_ASKED_S)
