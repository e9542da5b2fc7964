"""This machine: its memory, what is free for a model, and how child processes of ours start."""

from __future__ import annotations

import gc
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import Field

from exchange.settings import SettingsTable

GPU_SHARE = 2 / 3  # of an Apple machine's memory; what its GPU may hold without being evicted
_FREE_PAGES = ("free", "inactive", "speculative", "purgeable")


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line of a child process that runs one of our modules.

    `-P` keeps the working folder off its path: a file `crawler.py` or a folder `workers/` that
    lies beside the user would be taken for our package.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def typed_program(folder: Path | None) -> str:
    """How `kkoracle` is typed in a shell that stands in `folder`, in the environment of this one.

    By its name where the path leads to it; else by its place, shortest from there.

    Args:
        folder: None where it may be any.
    """
    own = Path(sys.executable).with_name("kkoracle")
    found = shutil.which("kkoracle")
    if found and Path(found).parent.resolve() == own.parent.resolve():
        return "kkoracle"
    if not own.exists():
        return f"{shlex.quote(sys.executable)} -m kkoracle"
    return shlex.quote(min(os.path.relpath(own, folder), str(own), key=len) if folder else str(own))


def install_command(extra: str) -> str:
    """What a person types to add an extra to this installation, wherever that came from.

    It is asked for in the folder or the archive that it was installed from (PEP 610), as no
    registry needs to hold it, by the installer that made its environment.
    """
    from importlib.util import find_spec

    source = _installed_from() or "kkoracle"
    wanted = shlex.quote(f"{source}[{extra}]")
    place = Path(sys.prefix)
    if (place / "uv-receipt.toml").exists() or not find_spec("pip"):
        return f"uv pip install --python {shlex.quote(sys.prefix)} {wanted}"
    if (place / "pipx_metadata.json").exists():
        return f"pipx runpip kkoracle install {wanted}"
    if os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return f"pip install {wanted}"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def _installed_from() -> str:
    """The folder, file or address that we were installed from; "" where nobody wrote it down."""
    from importlib import metadata  # slow to load, and only asked for when something is missing

    try:
        told = metadata.distribution("kkoracle").read_text("direct_url.json")
        url = str(orjson.loads(told or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError):
        return ""
    split = urlsplit(url)
    return unquote(split.path) if split.scheme == "file" else url


T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2  # errands waiting beside each process: results are gathered as they come


def map_in_processes(call: Callable[[T], R], errands: Iterable[T], processes: int) -> Iterator[R]:
    """What `call` makes of each errand, in order, in this many processes.

    Few errands wait at a time, however many there are; a single one is done here.

    Args:
        call: it and what passes through it can be pickled.
    """
    waiting = iter(errands)
    first = list(islice(waiting, 2))
    if processes <= 1 or len(first) < 2:
        yield from map(call, chain(first, waiting))
        return
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    # Spawned: a process that has threads, or has evaluated with MLX, must not fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            pending: deque[Future[R]] = deque()
            for errand in chain(first, waiting):
                pending.append(pool.submit(call, errand))
                if len(pending) < processes * (1 + AHEAD):
                    continue
                while not pending[0].done():
                    wait([pending[0]], timeout=1, return_when=FIRST_COMPLETED)
                yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def total_memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usable_memory() -> int:
    """Bytes that a model may take now: what is free, within what the GPU may hold."""
    if sys.platform == "darwin":
        output = subprocess.run(["vm_stat"], capture_output=True, text=True, check=False).stdout
        return min(parse_vm_stat(output) or total_memory(), int(total_memory() * GPU_SHARE))
    return min(_linux_available(), _container_limit() or total_memory())


def parse_vm_stat(output: str) -> int:
    """Bytes that macOS could hand out, from the output of its `vm_stat`; 0 when unreadable."""
    size = re.search(r"page size of (\d+) bytes", output)
    pages = {
        name: int(count) for name, count in re.findall(r"^Pages (\w+):\s+(\d+)\.", output, re.M)
    }
    return int(size[1]) * sum(pages.get(name, 0) for name in _FREE_PAGES) if size else 0


def _linux_available() -> int:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        return total_memory()
    return int(found[1]) * 1024 if found else total_memory()


def _container_limit() -> int:
    """What is left of a container's own limit; 0 when there is none."""
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()) - int(
            (folder / "memory.current").read_text()
        )
    except (OSError, ValueError):  # no such file, or "max"
        return 0


# What a machine draws while it works, for the kilowatt-hours of an estimate.


class PowerSettings(SettingsTable):
    """[power]"""

    watts: float = Field(
        65,
        gt=0,
        le=100_000,
        description="what this machine draws while it works; 65: the most that Apple states for a "
        "Mac mini with M4 (testers measured 40 to 45)",
    )


def kwh(watts: float, seconds: float) -> float:
    """Energy of so many seconds at work."""
    return watts * seconds / 3.6e6


@contextmanager
def gc_paused() -> Iterator[None]:
    """No search for cycles meanwhile, for work that keeps all it makes to its end: to look through
    that over and over takes a fifth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
