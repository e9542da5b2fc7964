"""When a host mostly fails, more requests help nobody. Pure: outcomes in, "stop" out."""

from __future__ import annotations

from collections import deque

WINDOW = 20  # the last outcomes that are looked at
ENOUGH = 10  # fewer say nothing
BAD_SHARE = 0.5


class Breaker:
    """Opens when at least half of a host's last answers were errors.

    After it has opened it judges anew, by answers that came since.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)

    def note(self, good: bool) -> bool:
        """Take one outcome; true when it is time to leave the host alone for a while."""
        self._last.append(good)
        bad = self._last.count(False)
        if good or len(self._last) < ENOUGH or bad < BAD_SHARE * len(self._last):
            return False
        self._last.clear()
        return True

    @property
    def healthy(self) -> bool:
        """A whole window without an error."""
        return len(self._last) == WINDOW and all(self._last)
