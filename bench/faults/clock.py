"""A wall clock that is set while real processes run by it, as NTP, a person or a battery does it.

A small library, preloaded into the processes, adds what a shared file holds to the time of day;
monotonic clocks stay as they are. It is compiled where it is used, so it takes Linux and a C
compiler. (libfaketime cannot do it: Python's sleep and Redis's start fail under it.)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
VARIABLE = "BENCH_CLOCK"  # the shared file, for the library
HOUR_S = 3600.0


def can_set_clocks() -> bool:
    """True where the library can be compiled and preloaded."""
    return sys.platform == "linux" and shutil.which("cc") is not None


class SettableClock:
    """The wall clock of some processes; at first it is right."""

    def __init__(self, folder: Path, name: str) -> None:
        """Keep the library and the file `name` in `folder`."""
        self._library = folder / "clock.so"
        self._file = folder / name
        self.set_ahead(0.0)
        if not self._library.exists():
            subprocess.run(
                ["cc", "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE)], check=True
            )

    def environment(self, preloaded: str = "") -> dict[str, str]:
        """What a process needs to run by this clock.

        Args:
            preloaded: its LD_PRELOAD so far.
        """
        libraries = " ".join(filter(None, (str(self._library), preloaded)))
        return {"LD_PRELOAD": libraries, VARIABLE: str(self._file)}

    def set_ahead(self, seconds: float) -> None:
        """Set it to so much ahead of the true time, behind it when negative."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))
