"""When will it be done? A range, read off how differently neighbouring times went so far.

The middle is the rest at the recent rate, where recent means about as far back as the rest will
take, and less far when the last eighth differs from it by more than eighths usually differ. How
wrong that may be is read off the run itself: windows of several lengths are held against the ones
before them (as the Allan variance of a clock does), and those about as long as the rest weigh
most. To that comes what no past tells, more of it the longer the rest is. So a run that always
went alike gets a narrow range, and one that stops each night or changed its pace a wide one.

Nothing is assumed of the noise's shape, and nothing is fitted that a pause of two days could bend.
`python -m bench eta` measures how often the true end lies in the range.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

ProgressSamples = Sequence[tuple[float, float]]  # seconds, things done so far; by time
EtaRange = tuple[float, float, float]  # seconds from now: the least, the middle, the most

LEAST_S = 120.0  # of history, before anything is said
PARTS = (2, 3, 4, 6, 8, 12, 16)  # the history is cut into so many windows, in turn
RECENT = 8  # of them: the last tells whether the pace has changed for good
CHANGED = 1.5  # times what eighths usually differ by: so much is a change
# Calibrated with `bench eta` on other seeds than its own, for 85 % of the ends in the range.
WIDTH = 1.4  # times the spread, to either side
KNOWN = 0.03  # spread of even the calmest run
UNKNOWN = 0.10  # spread that the future adds when it is as long as the past
UNKNOWN_MOST = 2.0  # times that, however much longer it is
MAD = 0.6745  # the median of |x| of a standard normal x


def eta(samples: ProgressSamples, total: float, now: float) -> EtaRange | None:
    """Seconds until `total` things are done.

    Args:
        samples: what was done by when; counts that fall back count as standing still.
        total: how many there are in all; it may have grown meanwhile.
        now: seconds on the samples' clock, not before the last of them.

    Returns:
        The least, the middle and the most; None while too little was seen to tell.
    """
    if not samples:
        return None
    rest = total - samples[-1][1]
    if rest <= 0:
        return 0.0, 0.0, 0.0
    past = _PastProgress(samples, now)
    if past.length < LEAST_S or past.grown <= 0 or len(samples) < 3:
        return None
    differences = {parts: past.differences(parts) for parts in PARTS if parts <= len(samples)}
    left = rest / _rate(past, rest, differences)
    spread = WIDTH * math.sqrt(
        _variance(past, left, differences)
        + KNOWN**2
        + UNKNOWN**2 * min(left / past.length, UNKNOWN_MOST**2)
    )
    return left * math.exp(-spread), left, left * math.exp(spread)


class _PastProgress:
    """What was done by when, as a line through the samples that never falls."""

    def __init__(self, samples: ProgressSamples, now: float) -> None:
        self._times = [at for at, _ in samples]
        self._done = [0.0]
        for (_, before), (_, after) in pairwise(samples):
            self._done.append(self._done[-1] + max(0.0, after - before))
        if now > self._times[-1]:
            self._times.append(now)
            self._done.append(self._done[-1])
        self.length = self._times[-1] - self._times[0]
        self.grown = self._done[-1]

    def rate(self, window: float) -> float:
        """Things a second over the last so many seconds."""
        return (self.grown - self._at(self._times[-1] - window)) / window

    def differences(self, parts: int) -> list[float]:
        """How each of so many windows differs from the one before, as a share of their mean."""
        step = self.length / parts
        marks = [self._at(self._times[0] + step * number) for number in range(parts + 1)]
        gains = [after - before for before, after in pairwise(marks)]
        return [2 * (b - a) / (a + b) if a + b > 0 else 0.0 for a, b in pairwise(gains)]

    def _at(self, time: float) -> float:
        after = bisect_right(self._times, time)
        if not 0 < after < len(self._times):
            return self._done[0] if after == 0 else self._done[-1]
        t0, t1 = self._times[after - 1 : after + 1]
        d0, d1 = self._done[after - 1 : after + 1]
        return d0 + (d1 - d0) * (time - t0) / (t1 - t0)


def _rate(past: _PastProgress, rest: float, differences: dict[int, list[float]]) -> float:
    """The rate of a past about as long as the rest takes, and of less of it after a change."""
    whole = past.grown / past.length
    rate = whole
    for _ in range(3):  # the window depends on the rate that it gives
        window = min(past.length, max(rest / rate, past.length / RECENT))
        rate = past.rate(window) or whole
    recent = past.rate(past.length / RECENT)
    if RECENT not in differences or not recent:
        return rate
    usual = median(abs(one) for one in differences[RECENT]) / MAD
    change = 2 * (recent - rate) / (recent + rate)
    if abs(change) <= CHANGED * usual:
        return rate
    return rate + (1 - (CHANGED * usual / change) ** 2) * (recent - rate)


def _variance(past: _PastProgress, left: float, differences: dict[int, list[float]]) -> float:
    """Of the ratio between the future's rate and the past's; near lengths and many pairs count."""
    weighed = weights = 0.0
    for parts, found in differences.items():
        length = past.length / parts
        weight = min(length / left, left / length) * math.sqrt(len(found))
        weighed += weight * fmean(one * one for one in found)
        weights += weight
    return weighed / weights
