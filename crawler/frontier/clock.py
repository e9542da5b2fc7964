"""The time by which waits are measured and stored, which no setting of the clock moves.

A clock jumps: the network corrects it, a person sets it, a battery was empty. A wait of a minute
must stay a minute then, so within a process time only passes; sleep of the machine counts. Stored
times were written by another process, whose clock may have been wrong: whoever reads one bounds it.
"""

from __future__ import annotations

import time

LONGEST_WAIT_S = 86_400.0  # of a page or a host; what is stored beyond it came of a wrong clock

# CLOCK_MONOTONIC stands still on Linux while the machine sleeps; on macOS it goes on.
_PASSING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BEGUN = time.time() - time.clock_gettime(_PASSING)


def passing_time() -> float:
    """Seconds since this machine began, the same in all its processes."""
    return time.clock_gettime(_PASSING)


def steady_time() -> float:
    """Seconds since the epoch by the clock of when this process began."""
    return _BEGUN + passing_time()
