"""Run a command and know what it and all its descendants took: seconds, processor, memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT
from exchange import signals
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
    """Run to the end, its output in `log`.

    Raises:
        KeyboardInterrupt: a signal has come; the command was stopped too.
    """
    peak, is_told, started = 0, False, time.monotonic()
    # A signal is remembered: raised while a process is being started, it would leave that behind.
    with (
        signals.stop_on_signal() as stopped,
        log.open("wb") as output,
        ThreadPoolExecutor(1) as pool,
    ):
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        family, ending = {process.pid}, pool.submit(_end_of, process.pid)
        while not ending.done():
            if stopped() and not is_told:  # once: a second one hurries ours
                is_told = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
            rss, family = family_rss(list_processes(), family)
            peak = max(peak, rss)
            wait([ending], SAMPLE_S)
        status, used, ended = ending.result()
        process.returncode = os.waitstatus_to_exitcode(status)
    if stopped():
        raise KeyboardInterrupt
    cpu_s = used.ru_utime + used.ru_stime
    return ResourceUsage(process.returncode, ended - started, cpu_s, peak / 2**10)


def _end_of(pid: int) -> tuple[int, resource.struct_rusage, float]:
    """Wait for a child: its status, what it used, and when it ended."""
    # Not `getrusage`: that would count the looks at the memory too.
    _, status, used = os.wait4(pid, 0)
    return status, used, time.monotonic()


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


def list_processes() -> str:
    """All processes of this machine, as `family_rss` reads them."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False
    )
    return listed.stdout


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
