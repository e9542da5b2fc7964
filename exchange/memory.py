"""How much memory this machine has, and how much of it is free for a model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

GPU_SHARE = 2 / 3  # of an Apple machine's memory; what its GPU may hold without being evicted
_FREE_PAGES = ("free", "inactive", "speculative", "purgeable")


def total() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usable() -> int:
    """Bytes that a model may take now: what is free, within what the GPU may hold."""
    if sys.platform == "darwin":
        said = subprocess.run(["vm_stat"], capture_output=True, text=True, check=False).stdout
        return min(parse_vm_stat(said) or total(), int(total() * GPU_SHARE))
    return min(_linux_available(), _container_limit() or total())


def parse_vm_stat(said: str) -> int:
    """Bytes that macOS could hand out, from the output of its `vm_stat`; 0 when unreadable."""
    size = re.search(r"page size of (\d+) bytes", said)
    pages = {name: int(count) for name, count in re.findall(r"^Pages (\w+):\s+(\d+)\.", said, re.M)}
    return int(size[1]) * sum(pages.get(name, 0) for name in _FREE_PAGES) if size else 0


def _linux_available() -> int:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        return total()
    return int(found[1]) * 1024 if found else total()


def _container_limit() -> int:
    """What is left of a container's own limit; 0 when there is none."""
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()) - int(
            (folder / "memory.current").read_text()
        )
    except (OSError, ValueError):  # no such file, or "max"
        return 0
