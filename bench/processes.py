"""Run a command and know what it and all its descendants took: seconds, processor, memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT
from exchange.inference import openblas

SAMPLE_S = 0.5
_LIBRARY, _THREADS = "LD_PRELOAD", "OPENBLAS_NUM_THREADS"
# Threads of a BLAS spin while they wait, which counts as work: the more so, the busier the machine.
ONE_THREAD = {_THREADS: "1", "OMP_NUM_THREADS": "1"}
# As where it is installed, whatever this shell says: a peer's packages came with their bytecode.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What a command took. `rss_mb` is the largest sum over all processes alive at one time.

    Pages that two processes share count in both, so it is an upper bound; a peak shorter than
    the half second between two looks is missed.
    """

    code: int
    seconds: float
    cpu_s: float  # of all descendants that were waited for, which leaves out an orphaned server
    rss_mb: float


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> ResourceUsage:
    """Run to the end, its output in `log`. Stopped by Ctrl-C, the command is stopped too."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        memory: _MemorySampler | None = None
        try:
            memory = _MemorySampler(process.pid)
            # Not `getrusage`: that would count the looks at the memory too.
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            if memory is not None:
                memory.stop()
    cpu_s = used.ru_utime + used.ru_stime
    return ResourceUsage(process.returncode, time.monotonic() - started, cpu_s, memory.peak / 2**10)


def as_from_a_shell(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without this project's variables, and without what its re-execution set."""
    clean = {name: value for name, value in env.items() if not name.startswith("KKORACLE_")}
    if "openblas" in clean.get(_LIBRARY, ""):
        rest = " ".join(part for part in clean.pop(_LIBRARY).split() if "openblas" not in part)
        clean.pop(_THREADS, None)
        if rest:
            clean[_LIBRARY] = rest
    return clean


def command_environment() -> dict[str, str]:
    """As from a shell, for a command of this project's."""
    env = as_from_a_shell(os.environ)
    paths = (str(ROOT), env.get("PYTHONPATH"))
    return env | BYTECODE | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def mlx_environment() -> dict[str, str]:
    """For a process whose processor time is compared, ours or a peer's: one BLAS thread each."""
    return {
        **openblas.environment(os.environ),
        **ONE_THREAD,
        **BYTECODE,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def children_cpu_s() -> float:
    """Processor seconds of all children so far that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _MemorySampler:
    """Looks at the process tree until stopped. One that lost its parent stays one of it."""

    def __init__(self, root: int) -> None:
        self.peak = 0  # KiB
        self._family = {root}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            listed = subprocess.run(
                ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False
            )
            total, self._family = family_rss(listed.stdout, self._family)
            self.peak = max(self.peak, total)
            self._stop.wait(SAMPLE_S)


def family_rss(listed: str, family: set[int]) -> tuple[int, set[int]]:
    """The memory of a family and its descendants, and who of it is alive.

    Args:
        listed: lines of process id, parent's id and KiB, as `ps` prints them.
    """
    rows = {
        int(pid): (int(parent), int(rss))
        for pid, parent, rss in (line.split() for line in listed.splitlines() if line.strip())
    }
    alive = {pid for pid in family if pid in rows}
    grown = True
    while grown:
        born = {pid for pid, (parent, _) in rows.items() if parent in alive} - alive
        alive |= born
        grown = bool(born)
    return sum(rows[pid][1] for pid in alive - {os.getpid()}), alive
