"""Give MLX a fast BLAS on Linux without a GPU.

`mlx[cpu]` links the reference BLAS; with OpenBLAS preloaded float32 products are about 30 times
faster. The loader reads LD_PRELOAD only when a process starts, so a command that needs it
executes itself once more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_MARK = "KKORACLE_BLAS"
_PATTERNS = (
    "usr/lib/*/openblas-pthread/libopenblas.so.0",  # Debian, Ubuntu: libopenblas0-pthread
    "usr/lib64/libopenblasp.so.0",  # Fedora
    "usr/lib/libopenblas.so.0",  # Arch
    "usr/lib/*/libopenblas.so.0",
)
ADVICE = "apt-get install libopenblas0-pthread (or your system's OpenBLAS): MLX runs 30x faster"


def find(root: Path = Path("/")) -> Path | None:
    """The OpenBLAS library of this machine, if there is one."""
    for pattern in _PATTERNS:
        for path in sorted(root.glob(pattern)):
            return path
    return None


def needed() -> bool:
    """True where MLX would run on the CPU: Linux without an NVIDIA device."""
    return sys.platform == "linux" and not Path("/dev/nvidia0").exists()


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`base` with LD_PRELOAD set, for a child process that runs MLX."""
    env = dict(base)
    library = find() if needed() else None
    if library and str(library) not in env.get("LD_PRELOAD", ""):
        env["LD_PRELOAD"] = " ".join(filter(None, (env.get("LD_PRELOAD"), str(library))))
        # With a thread on every core OpenBLAS spins against Redis, crawler and Python itself.
        env.setdefault("OPENBLAS_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    env[_MARK] = "1"
    return env


def loaded() -> bool:
    """True when this process was started with OpenBLAS preloaded."""
    return "openblas" in os.environ.get("LD_PRELOAD", "")


def ensure() -> None:
    """Execute this command once more with OpenBLAS preloaded, if that would help.

    Call it first in a command that evaluates MLX arrays; it returns when nothing is to be done.
    """
    if os.environ.get(_MARK) or loaded() or not needed() or find() is None:
        return
    arguments = sys.orig_argv[1:]
    os.execve(sys.executable, [sys.executable, *arguments], environment())
